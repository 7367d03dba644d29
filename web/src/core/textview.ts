// Shows a TextDoc. Closed blocks are rendered once and never touched again; they are grouped in pages, and only pages
// near the window are in the document, so a thought of 100,000 tokens costs no more than what one sees of it.
import { Alignment } from "./align";
import type { Block } from "./blocks";
import type { TextDoc } from "./doc";
import { renderMarkdown } from "./markdown";

const PIXELS = 0.25; // height of a page that was not shown yet, per weight
const PAGE = 4000; // weight of a page: characters, and 40 for each line

/** Paints source ranges of a block; called when the block appears, returns what undoes it. */
export type Painter = (block: Block, alignment: () => Alignment) => () => void;

interface Page {
  element: HTMLElement;
  blocks: Block[];
  weight: number;
  mounted: boolean;
}

interface Shown {
  block: Block;
  alignment: Alignment | null;
  unpaint: (() => void) | null;
}

export class TextView {
  private readonly pages: Page[] = [];
  private readonly shown = new Map<Element, Shown>();
  private readonly tail = document.createElement("div");
  private tailBlock: Block | null = null;
  private taken = 0; // closed blocks that are in pages
  private readonly observer: IntersectionObserver;

  constructor(
    private readonly host: HTMLElement,
    private readonly doc: TextDoc,
    private painter: Painter | null = null,
    scroller: HTMLElement | null = null,
  ) {
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { root: scroller, rootMargin: "600px 0px" });
    this.tail.className = "tail";
    host.replaceChildren(this.tail);
    this.update();
  }

  dispose(): void {
    this.observer.disconnect();
    for (const page of this.pages) this.unmount(page, false);
    this.host.replaceChildren();
  }

  /** Brings in what the document has got since. Cost: the new blocks and the open one. */
  update(): void {
    const closed = this.doc.splitter.closed;
    for (; this.taken < closed.length; this.taken++) this.takeBlock(closed[this.taken]!);
    this.updateTail();
  }

  setPainter(painter: Painter | null): void {
    this.painter = painter;
    for (const [element, shown] of this.shown) this.paint(element, shown);
  }

  /** The source position under a point of the window. */
  sourceAt(x: number, y: number): number | null {
    const caret = document.caretPositionFromPoint
      ? document.caretPositionFromPoint(x, y)
      : legacyCaret(x, y);
    if (!caret) return null;
    const element = (caret.offsetNode.parentElement as Element | null)?.closest(".block");
    const shown = element && this.shown.get(element);
    return shown ? this.alignment(element, shown).sourceAt(caret.offsetNode, caret.offset) : null;
  }

  /** Scrolls to a source position; the element that is shown there. */
  reveal(position: number): Element | null {
    const page = this.pages.find((p) => p.blocks.at(-1)!.end > position);
    if (!page) return this.tail.scrollIntoView({ block: "center" }), this.tail;
    this.mount(page);
    const index = page.blocks.findIndex((b) => b.end > position);
    const element = page.element.children[index] ?? page.element;
    element.scrollIntoView({ block: "center" });
    return element;
  }

  private takeBlock(block: Block): void {
    let page = this.pages.at(-1);
    if (!page || page.weight > PAGE) page = this.addPage();
    page.blocks.push(block);
    const text = this.doc.text.slice(block.start, block.end);
    page.weight += text.length + 40 * (text.split("\n").length - 1);
    if (page.mounted) page.element.append(this.show(block));
    else page.element.style.height = `${Math.round(page.weight * PIXELS)}px`;
  }

  private addPage(): Page {
    const element = document.createElement("div");
    element.className = "page";
    const page = { element, blocks: [], weight: 0, mounted: this.pages.length < 3 || this.nearEnd() };
    this.host.insertBefore(element, this.tail);
    this.pages.push(page);
    this.observer.observe(element);
    return page;
  }

  private nearEnd(): boolean {
    return this.pages.at(-1)!.mounted && this.tail.isConnected && this.tail.getBoundingClientRect().top < innerHeight + 1200;
  }

  private show(block: Block): HTMLElement {
    const element = document.createElement("div");
    element.className = "block";
    element.append(renderMarkdown(this.doc.text.slice(block.start, block.end)));
    const shown = { block, alignment: null, unpaint: null };
    this.shown.set(element, shown);
    this.paint(element, shown);
    return element;
  }

  private paint(element: Element, shown: Shown): void {
    shown.unpaint?.();
    shown.unpaint = this.painter?.(shown.block, () => this.alignment(element, shown)) ?? null;
  }

  private alignment(element: Element, shown: Shown): Alignment {
    const { start, end } = shown.block;
    return (shown.alignment ??= new Alignment(element, this.doc.text.slice(start, end), start));
  }

  private updateTail(): void {
    const open = this.doc.splitter.open;
    const text = this.doc.text.slice(open.start, open.end);
    const before = this.tailBlock;
    this.tailBlock = open;
    if (before && before.start === open.start && before.end === open.end) return;
    if (open.fence && before?.fence && before.start === open.start) return this.appendFenced(before.end, open);
    if (open.fence) return this.startFence(open);
    if (text.trim() === "") return this.tail.replaceChildren();
    this.tail.replaceChildren(renderMarkdown(text));
  }

  private startFence(open: Block): void {
    const pre = document.createElement("pre");
    pre.append(document.createElement("code"));
    this.tail.replaceChildren(pre);
    const text = this.doc.text.slice(open.start, open.end);
    const line = text.indexOf("\n");
    if (line >= 0) pre.firstElementChild!.append(text.slice(line + 1));
    else this.tailBlock = { ...open, fence: false }; // its first line is not complete
  }

  private appendFenced(from: number, open: Block): void {
    const code = this.tail.querySelector("code")!;
    const piece = this.doc.text.slice(from, open.end);
    if (code.lastChild) (code.lastChild as Text).appendData(piece);
    else code.append(piece);
  }

  private seen(entries: IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const page = this.pages.find((p) => p.element === entry.target);
      if (!page) continue;
      if (entry.isIntersecting) this.mount(page);
      else if (page.mounted && page.weight > PAGE) this.unmount(page, true);
    }
  }

  private mount(page: Page): void {
    if (page.mounted) return;
    page.mounted = true;
    page.element.style.height = "";
    page.element.append(...page.blocks.map((b) => this.show(b)));
  }

  private unmount(page: Page, keepHeight: boolean): void {
    if (!page.mounted) return;
    if (keepHeight) page.element.style.height = `${page.element.getBoundingClientRect().height}px`;
    for (const element of page.element.children) {
      this.shown.get(element)?.unpaint?.();
      this.shown.delete(element);
    }
    page.mounted = false;
    page.element.replaceChildren();
  }
}

function legacyCaret(x: number, y: number): { offsetNode: Node; offset: number } | null {
  const range = document.caretRangeFromPoint?.(x, y);
  return range ? { offsetNode: range.startContainer, offset: range.startOffset } : null;
}
