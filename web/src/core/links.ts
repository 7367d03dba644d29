// Where the numbers, names and code of an answer first appear in the thought.

export interface Link {
  text: string;
  start: number;
  end: number; // in the answer
  thought: number; // position in the thought
}

const WORDS = /`([^`\n]{2,60})`|(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])|\b[A-Z][a-zA-Z]{3,}\b/g;
const MOST = 200;

function find(thought: string, word: string): number {
  const simple = /^\w+$/.test(word);
  for (let at = thought.indexOf(word); at >= 0; at = thought.indexOf(word, at + 1)) {
    const inside = (c: string | undefined) => c !== undefined && /[\p{L}\p{N}_]/u.test(c);
    if (!simple || (!inside(thought[at - 1]) && !inside(thought[at + word.length]))) return at;
  }
  return -1;
}

/** Each distinct word once, at its first place in the answer. */
export function linkAnswer(answer: string, thought: string): Link[] {
  const seen = new Set<string>();
  const links: Link[] = [];
  for (const match of answer.matchAll(WORDS)) {
    const text = match[1] ?? match[0];
    if (seen.has(text) || (/^\d$/.test(text) && links.length > 20)) continue;
    seen.add(text);
    const place = find(thought, text);
    if (place < 0) continue;
    const start = match.index + (match[1] ? 1 : 0);
    links.push({ text, start, end: start + text.length, thought: place });
    if (links.length === MOST) break;
  }
  return links;
}

const number = (text: string) => text.replaceAll(",", "");

/** The number that a thought ends on ("... = 42", "the answer is 42"), if it names one near its end. */
export function lastResult(thought: string): string | null {
  const tail = thought.slice(-400);
  const results = [...tail.matchAll(/(?:=|\bis|\bequals|答案是|等于)\s*\**\$?\\?(?:boxed\{)?(-?\d+(?:,\d{3})*(?:\.\d+)?)/gi)];
  return results.at(-1)?.[1] ?? null;
}

/** The thought's result if the answer has numbers, but not this one. */
export function mismatch(answer: string, thought: string): string | null {
  const result = lastResult(thought);
  if (result === null) return null;
  const numbers = [...answer.matchAll(/-?\d+(?:,\d{3})*(?:\.\d+)?/g)].map((m) => number(m[0]));
  if (!numbers.length) return null;
  return numbers.some((n) => n === number(result) || Number(n) === Number(number(result))) ? null : result;
}

/** What an answer comes down to: boxed result, bold result, last number, or its words. For "ask again" agreement. */
export function essence(answer: string): string {
  const boxed = /\\boxed\{([^{}]+)\}/.exec(answer);
  if (boxed) return boxed[1]!.trim().toLowerCase();
  const text = answer.replace(/[*_`#$]/g, "").trim();
  const numbers = [...text.matchAll(/-?\d+(?:,\d{3})*(?:\.\d+)?/g)];
  if (numbers.length) return number(numbers.at(-1)![0]);
  return text.toLowerCase().replace(/[\s.!?。！？]+/g, " ").trim().slice(0, 80);
}
