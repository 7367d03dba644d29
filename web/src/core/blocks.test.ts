import { describe, expect, it } from "vitest";
import { type Block, BlockSplitter } from "./blocks";

const TEXTS = [
  "# Title\nA paragraph\nof two lines.\n\nAnother.\n\n- one\n- two\n\n  more of two\n- three\n\nAfter.\n",
  "Before\n```js\nlet a = 1;\n\n# no heading\n```\nafter\n\n~~~\n```\n~~~\n",
  "1. first\n   ```sh\n   ls\n\n   pwd\n   ```\n2. second\n\nText\n",
  "| a | b |\n|---|---|\n| 1 | 2 |\n\n$$\nx = 1\n\ny = 2\n$$\nText\n\\[ z \\]\nend",
  "Unclosed\n\n```python\nprint(1)\n",
];

function split(text: string, sizes: () => number): Block[] {
  const splitter = new BlockSplitter();
  for (let at = 0; at < text.length; ) {
    const size = sizes();
    splitter.push(text.slice(at, at + size));
    at += size;
  }
  return [...splitter.closed, splitter.open].filter((b) => b.end > b.start);
}

describe("BlockSplitter", () => {
  it("covers the text without gaps, and the split does not depend on the pieces", () => {
    for (const text of TEXTS) {
      const whole = split(text, () => text.length);
      expect(whole.map((b) => text.slice(b.start, b.end)).join("")).toBe(text);
      for (const size of [1, 2, 3, 7]) expect(split(text, () => size)).toEqual(whole);
    }
  });

  it("keeps fences, lists and formulas together", () => {
    const of = (text: string) => split(text, () => 5).map((b) => text.slice(b.start, b.end));
    expect(of(TEXTS[0]!)).toEqual(["# Title\n", "A paragraph\nof two lines.\n\n", "Another.\n\n", "- one\n- two\n\n  more of two\n- three\n\n", "After.\n"]);
    expect(of(TEXTS[1]!)).toEqual(["Before\n", "```js\nlet a = 1;\n\n# no heading\n```\n", "after\n\n", "~~~\n```\n~~~\n"]);
    expect(of(TEXTS[2]!)).toEqual(["1. first\n   ```sh\n   ls\n\n   pwd\n   ```\n2. second\n\n", "Text\n"]);
    expect(of(TEXTS[3]!)).toContain("$$\nx = 1\n\ny = 2\n$$\n");
  });

  it("says that an open fence is one", () => {
    expect(split(TEXTS[4]!, () => 4).at(-1)).toEqual({ start: 10, end: TEXTS[4]!.length, fence: true });
  });

  it("closes paragraphs that do not end", () => {
    const text = "word ".repeat(20000);
    const blocks = split(text, () => 11);
    expect(Math.max(...blocks.map((b) => b.end - b.start))).toBeLessThan(9000);
    expect(blocks.map((b) => text.slice(b.start, b.end)).join("")).toBe(text);
  });
});
