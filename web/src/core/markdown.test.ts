import { describe, expect, it } from "vitest";
// Ways in which Markdown or HTML of a model could run code, load something or dress up as part of the page.
import CORPUS from "../../test/xss.json";
import { renderMarkdown, sanitize } from "./markdown";

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
