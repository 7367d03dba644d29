// One block of Markdown to safe DOM. What a model writes is foreign: whatever Markdown makes of it passes the sanitizer,
// which knows a list of tags and attributes and nothing else.
import DOMPurify from "dompurify";
import { Marked, type TokenizerAndRendererExtension } from "marked";

const escape = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);

/** Formulas stay as they were written; Markdown would eat their backslashes and underscores. */
function formula(name: string, level: "block" | "inline", start: RegExp, rule: RegExp): TokenizerAndRendererExtension {
  return {
    name,
    level,
    start: (source) => source.match(start)?.index,
    tokenizer(source) {
      const match = rule.exec(source);
      return match ? { type: name, raw: match[0], text: match[0].trim() } : undefined;
    },
    renderer: (token) => `<code class="math">${escape(token["text"] as string)}</code>`,
  };
}

const marked = new Marked({ gfm: true, breaks: false, async: false });
marked.use({
  extensions: [
    formula("displayMath", "block", /\$\$|\\\[/, /^ {0,3}(?:\$\$[\s\S]+?\$\$|\\\[[\s\S]+?\\\])[ \t]*(?:\n|$)/),
    formula("inlineMath", "inline", /\\\(|\\\[|\$\$/, /^(?:\\\([^\n]+?\\\)|\\\[[^\n]+?\\\]|\$\$[^\n]+?\$\$)/),
  ],
});

const TAGS =
  "a b blockquote br code del details div em h1 h2 h3 h4 h5 h6 hr i img input kbd li mark ol p pre s small span strong sub summary sup table tbody td th thead tr u ul".split(" ");
const ATTRIBUTES = "align alt checked class colspan dir disabled href lang rowspan src start title type".split(" ");
const SAFE_LINK = /^(?:https?:\/\/|mailto:)/i;
const SAFE_IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,/i;

/** Images are shown only if their bytes are in the text; a remote one would tell its server about the conversation. */
function tameImage(image: Element): void {
  const source = image.getAttribute("src") ?? "";
  if (SAFE_IMAGE.test(source)) return;
  const link = document.createElement("a");
  link.textContent = `🖼 ${image.getAttribute("alt") || source.slice(0, 60)}`;
  if (SAFE_LINK.test(source)) tameLink(link, source);
  image.replaceWith(link);
}

function tameLink(link: Element, target: string): void {
  if (!SAFE_LINK.test(target)) return link.removeAttribute("href");
  link.setAttribute("href", target);
  link.setAttribute("rel", "noopener noreferrer nofollow");
  link.setAttribute("target", "_blank");
}

export function sanitize(html: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll("a")) tameLink(link, link.getAttribute("href") ?? "");
  for (const image of fragment.querySelectorAll("img")) tameImage(image);
  for (const input of fragment.querySelectorAll("input")) {
    if (input.getAttribute("type") !== "checkbox") input.remove();
    input.setAttribute("disabled", "");
    input.setAttribute("aria-label", "☑");
  }
  for (const element of fragment.querySelectorAll("[class]"))
    if (!/^(?:language-[\w+#.-]{1,30}|math)$/.test(element.className)) element.removeAttribute("class");
  for (const pre of fragment.querySelectorAll("pre")) pre.tabIndex = 0;
  return fragment;
}

export function renderMarkdown(source: string): DocumentFragment {
  return sanitize(marked.parse(source) as string);
}
