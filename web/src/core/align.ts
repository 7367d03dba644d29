// Which place of the Markdown source each character of the rendered text came from. Rendered text is, markup aside, a
// subsequence of its source, so one pass with a short look-ahead finds it; characters that are not found stay put.

const AHEAD = 80;

export class Alignment {
  readonly nodes: Text[] = [];
  private readonly places: Uint32Array[] = [];
  private readonly index = new Map<Node, number>();

  constructor(root: Node, source: string, start: number) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    let p = /^\s*(?:`{3}|~{3})/.test(source) ? source.indexOf("\n") + 1 : 0; // the info line of a fence is not shown
    for (let node = walker.nextNode() as Text | null; node; node = walker.nextNode() as Text | null) {
      if (node.parentElement?.closest("[data-ui]")) continue; // buttons and labels of the page itself
      const places = new Uint32Array(node.data.length).fill(start + p);
      const between = node.data.includes("\n") && node.data.trim() === "" && !node.parentElement?.closest("pre");
      for (let i = 0; i < node.data.length && !between; i++) {
        const found = source.slice(p, p + AHEAD).indexOf(node.data[i]!);
        if (found >= 0) p += found;
        places[i] = start + Math.min(p, source.length);
        if (found >= 0) p++;
      }
      this.index.set(node, this.nodes.length);
      this.nodes.push(node);
      this.places.push(places);
    }
  }

  /** The source position of a place in the rendered text. */
  sourceAt(node: Node, offset: number): number | null {
    const places = this.places[this.index.get(node) ?? -1];
    return places?.[Math.min(offset, places.length - 1)] ?? null;
  }

  /** The rendered text of the source range [start, end), as ranges that each lie in one text node. */
  ranges(start: number, end: number): Range[] {
    const out: Range[] = [];
    for (let n = 0; n < this.nodes.length; n++) {
      const places = this.places[n]!;
      if (!places.length || places[places.length - 1]! < start || places[0]! >= end) continue;
      const from = lowerBound(places, start);
      const to = lowerBound(places, end);
      if (from >= to) continue;
      const range = document.createRange();
      range.setStart(this.nodes[n]!, from);
      range.setEnd(this.nodes[n]!, to);
      out.push(range);
    }
    return out;
  }
}

function lowerBound(values: Uint32Array, target: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < target) low = middle + 1;
    else high = middle;
  }
  return low;
}
