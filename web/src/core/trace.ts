// Which tokens a text consists of, how sure the model was of each and what it would have said instead.
import type { Alternative, StoredToken, TokenLogprob } from "./types";

export interface Token {
  start: number;
  end: number; // range in the text, in UTF-16 units; a token that ends inside a character has an empty range
  text: string;
  logprob: number;
  entropy: number; // bits
  alternatives: Alternative[];
}

/**
 * Entropy in bits of a distribution of which only the likeliest outcomes are known: H = -sum p log2 p, where the mass
 * that is missing counts as one outcome. A lower bound of the true entropy.
 */
export function entropyBits(logprobs: number[]): number {
  let rest = 1;
  let bits = 0;
  for (const logprob of logprobs) {
    const p = Math.exp(logprob);
    if (p > 0) bits -= p * Math.log2(p);
    rest -= p;
  }
  if (rest > 1e-6) bits -= rest * Math.log2(rest);
  return Math.max(0, bits);
}

/** 0 (sure) to 4 (open): the steps of the shading. */
export function doubtLevel(bits: number): number {
  return bits < 0.6 ? 0 : bits < 1.1 ? 1 : bits < 1.7 ? 2 : bits < 2.4 ? 3 : 4;
}

export class Trace {
  readonly tokens: Token[] = [];
  private decoder = new TextDecoder();
  private length: number;

  constructor(start = 0) {
    this.length = start;
  }

  add(entries: TokenLogprob[]): void {
    for (const entry of entries) {
      const text = entry.bytes ? this.decoder.decode(Uint8Array.from(entry.bytes), { stream: true }) : entry.token;
      this.append(text, entry.token, entry.logprob, entry.top_logprobs ?? []);
    }
  }

  private append(text: string, name: string, logprob: number, alternatives: Alternative[]): void {
    const known = alternatives.map((a) => a.logprob).filter((l) => l > -1000);
    if (!alternatives.some((a) => a.token === name)) known.push(logprob);
    const start = this.length;
    this.length += text.length;
    this.tokens.push({ start, end: this.length, text: name, logprob, entropy: entropyBits(known), alternatives });
  }

  /** The token that covers a position of the text; by bisection. */
  at(position: number): Token | null {
    let low = 0;
    let high = this.tokens.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const token = this.tokens[middle]!;
      if (position < token.start) high = middle - 1;
      else if (position >= token.end) low = middle + 1;
      else return token;
    }
    return null;
  }

  /** Index of the first token that ends after a position. */
  firstAfter(position: number): number {
    let low = 0;
    let high = this.tokens.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tokens[middle]!.end <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The tokens the model was least sure of, most doubtful first. */
  doubtful(count: number): Token[] {
    return this.tokens
      .filter((t) => t.entropy >= 0.6 && t.text.trim() !== "")
      .sort((a, b) => b.entropy - a.entropy)
      .slice(0, count);
  }

  get meanEntropy(): number {
    return this.tokens.length ? this.tokens.reduce((sum, t) => sum + t.entropy, 0) / this.tokens.length : 0;
  }

  store(text: string): StoredToken[] {
    const round = (x: number) => Math.round(x * 1000) / 1000;
    return this.tokens.map((t) => [
      text.slice(t.start, t.end),
      round(t.logprob),
      t.alternatives.map((a) => [a.token, round(a.logprob)]),
    ]);
  }

  restore(tokens: StoredToken[]): void {
    for (const [text, logprob, alternatives] of tokens)
      this.append(text, text, logprob, alternatives.map(([token, l]) => ({ token, logprob: l })));
  }
}
