// Splits growing Markdown into blocks that can be rendered alone, looking at every character once. A block is a
// paragraph, heading, fence, list or table; only the last, open one can still change. Cost: O(new text) per push.

/** A half-open range of the source that Markdown renders without its neighbours. */
export interface Block {
  start: number;
  end: number;
  fence: boolean; // a fenced code block: while it is open, text is appended to it as it is
}

const FENCE = /^( {0,3})(`{3,}|~{3,})/;
const ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const HEADING = /^ {0,3}#{1,6}(?:\s|$)/;
const LIMIT = 4000; // characters after which an open block is closed at the next line that allows it

export class BlockSplitter {
  readonly closed: Block[] = [];
  private start = 0; // of the open block
  private position = 0; // characters seen
  private line = ""; // the line that has no end yet
  private fence = ""; // the marker that opened the fence we are in
  private fenceBlock = false; // the open block is that fence (and not a list with a fence in it)
  private math = ""; // the marker that ends the display formula we are in
  private list = false;
  private blank = false; // the previous line was blank (inside a list)

  /** The block that may still grow; empty when start equals end. */
  get open(): Block {
    const lone = this.start === this.position - this.line.length && FENCE.test(this.line);
    return { start: this.start, end: this.position, fence: this.fenceBlock || lone };
  }

  push(text: string): void {
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      this.line += text.slice(from, at + 1);
      this.position += at + 1 - from;
      this.takeLine(this.line, this.position - this.line.length);
      this.line = "";
      from = at + 1;
    }
    this.line += text.slice(from);
    this.position += text.length - from;
    if (this.line.length > 2 * LIMIT && !this.fence) this.cutLine();
  }

  private close(end: number): void {
    if (end > this.start) this.closed.push({ start: this.start, end, fence: this.fenceBlock });
    this.start = end;
    this.list = this.blank = this.fenceBlock = false;
  }

  private takeLine(line: string, at: number): void {
    if (this.fence) return this.takeFenced(line, at);
    if (this.math) {
      if (line.includes(this.math)) (this.math = ""), this.close(at + line.length);
      return;
    }
    if (line.trim() === "") return this.takeBlank(at + line.length);
    if (this.list && this.blank && !/^\s{2,}/.test(line) && !ITEM.test(line)) this.close(at);
    this.blank = false;
    const nested = this.list && /^\s{2,}/.test(line);
    if (!nested && (FENCE.test(line) || HEADING.test(line))) this.close(at);
    if (at - this.start > LIMIT && !nested && (!line.startsWith("|") || at - this.start > 4 * LIMIT)) this.close(at);
    if (this.start === at) this.list = ITEM.test(line);
    else if (!this.list && ITEM.test(line) && !line.startsWith("|")) this.close(at), (this.list = true);
    this.enter(line, at, nested);
  }

  private enter(line: string, at: number, nested: boolean): void {
    const fence = (nested ? /^(\s*)(`{3,}|~{3,})/ : FENCE).exec(line);
    if (fence) {
      this.fence = fence[2]!;
      this.fenceBlock = !nested;
    } else if (HEADING.test(line) && !nested) {
      this.close(at + line.length);
    } else if (this.start === at && /^\s*(\$\$|\\\[)/.test(line)) {
      const end = line.includes("$$") ? "$$" : "\\]";
      if (line.trim().length > 2 && line.trim().slice(2).includes(end)) this.close(at + line.length);
      else this.math = end;
    }
  }

  private takeFenced(line: string, at: number): void {
    const text = line.trim();
    const ends = text.length >= this.fence.length && text === this.fence[0]!.repeat(text.length);
    if (!ends) return;
    this.fence = "";
    if (this.fenceBlock) this.close(at + line.length);
  }

  private takeBlank(end: number): void {
    if (this.list) this.blank = true;
    else this.close(end);
  }

  /** A paragraph without line ends must not be parsed again and again: cut at a space. */
  private cutLine(): void {
    const space = this.line.lastIndexOf(" ");
    const cut = space > 0 ? space + 1 : this.line.length;
    const rest = this.line.slice(cut);
    this.close(this.position - rest.length);
    this.line = rest;
  }
}
