// Paints source ranges of rendered text by the browser's highlight registry: no element is added to the document.
import type { Alignment } from "../core/align";
import type { TextDoc } from "../core/doc";
import type { Link } from "../core/links";
import type { Painter } from "../core/textview";
import { doubtLevel } from "../core/trace";

const supported = typeof Highlight !== "undefined" && "highlights" in CSS;

function registry(name: string): Highlight {
  let highlight = CSS.highlights.get(name);
  if (!highlight) CSS.highlights.set(name, (highlight = new Highlight()));
  return highlight;
}

type Add = (name: string, alignment: Alignment, start: number, end: number) => void;

function paintDoubt(doc: TextDoc, from: number, to: number, alignment: Alignment, add: Add): void {
  const trace = doc.trace;
  if (!trace) return;
  for (let i = trace.firstAfter(from); i < trace.tokens.length && trace.tokens[i]!.start < to; i++) {
    const token = trace.tokens[i]!;
    const level = doubtLevel(token.entropy);
    const text = doc.text.slice(token.start, token.end);
    const space = text.length - text.trimStart().length;
    if (level && space < text.length) add(`doubt${level}`, alignment, token.start + space, token.end);
  }
}

export function makePainter(doc: TextDoc, shading: boolean, links: Link[]): Painter | null {
  if (!supported || (!shading && !links.length)) return null;
  return (block, alignment) => {
    const painted: [Highlight, Range][] = [];
    const add: Add = (name, aligned, start, end) => {
      for (const range of aligned.ranges(start, end)) {
        registry(name).add(range);
        painted.push([registry(name), range]);
      }
    };
    if (shading) paintDoubt(doc, block.start, block.end, alignment(), add);
    for (const link of links)
      if (link.start < block.end && link.end > block.start) add("link", alignment(), link.start, link.end);
    return () => painted.forEach(([highlight, range]) => highlight.delete(range));
  };
}
