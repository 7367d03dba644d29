// Differences of two texts by words: longest common subsequence between the ends that are equal anyway.

export interface Piece {
  kind: "same" | "removed" | "added";
  text: string;
}

const MOST = 2000; // words of each middle: the table has MOST^2 cells

function words(text: string): string[] {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

/** null: the texts differ in more than the table holds. */
export function wordDiff(before: string, after: string): Piece[] | null {
  const a = words(before);
  const b = words(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const [x, y] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  if (x.length > MOST || y.length > MOST) return null;
  const pieces: Piece[] = [];
  const put = (kind: Piece["kind"], text: string) => {
    const last = pieces.at(-1);
    if (last && last.kind === kind) last.text += text;
    else if (text) pieces.push({ kind, text });
  };
  put("same", a.slice(0, head).join(""));
  walk(x, y, put);
  put("same", a.slice(a.length - tail).join(""));
  return pieces;
}

function walk(x: string[], y: string[], put: (kind: Piece["kind"], text: string) => void): void {
  const width = y.length + 1;
  const length = new Uint16Array((x.length + 1) * width); // of the longest common subsequence of x[i..] and y[j..]
  for (let i = x.length - 1; i >= 0; i--)
    for (let j = y.length - 1; j >= 0; j--)
      length[i * width + j] =
        x[i] === y[j]
          ? length[(i + 1) * width + j + 1]! + 1
          : Math.max(length[(i + 1) * width + j]!, length[i * width + j + 1]!);
  let [i, j] = [0, 0];
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && x[i] === y[j]) put("same", x[i]!), i++, j++;
    else if (j >= y.length || (i < x.length && length[(i + 1) * width + j]! >= length[i * width + j + 1]!))
      put("removed", x[i]!), i++;
    else put("added", y[j]!), j++;
  }
}
