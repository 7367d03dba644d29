// What a thought is doing where, guessed from the words that sentences begin with. Each sentence is looked at once.

export const PHASES = ["think", "plan", "calculate", "check", "turn", "conclude"] as const;
export type Phase = (typeof PHASES)[number];
export interface Segment {
  start: number;
  end: number;
  phase: Phase;
}

const RULES: [Phase, RegExp][] = [
  ["turn", /\b(wait|hmm|hold on|actually|but no|on second thought|i made a mistake|that'?s (?:not right|wrong))\b|等等|等一下|不对|其实/i],
  ["check", /\b(check|verify|double[- ]check|confirm|make sure|let me re-?(?:read|check|compute))\b|检查|验证|确认/i],
  ["conclude", /\b(therefore|thus|hence|in conclusion|so the (?:final )?answer|final answer|the answer is|to sum up)\b|因此|所以答案|综上|最终/i],
  ["calculate", /\d\s*[-+*/×÷=^]\s*\(?\d|=\s*-?\d|\\frac|\b(calculate|compute|multipl|divid|sum of)\w*\b|计算/i],
  ["plan", /^\s*(okay|ok|alright|so,? the user|first|next|then|let me|let's|i need to|i should|we need to|step \d|the user)\b|首先|接下来|我需要|用户/i],
];

export function classify(sentence: string): Phase {
  for (const [phase, rule] of RULES) if (rule.test(sentence)) return phase;
  return "think";
}

export class PhaseMap {
  readonly segments: Segment[] = [];
  private rest = "";
  private position = 0; // of rest

  push(text: string): void {
    this.rest += text;
    const end = /[.!?](?=\s)|[。！？\n]/g;
    let from = 0;
    for (let match = end.exec(this.rest); match; match = end.exec(this.rest)) {
      const to = match.index + 1;
      this.take(this.rest.slice(from, to));
      from = to;
    }
    if (this.rest.length - from > 2000) {
      this.take(this.rest.slice(from));
      from = this.rest.length;
    }
    this.rest = this.rest.slice(from);
  }

  /** Also counts what has no sentence end; call once, when the thought is over. */
  finish(): void {
    if (this.rest) this.take(this.rest);
    this.rest = "";
  }

  private take(sentence: string): void {
    const last = this.segments.at(-1);
    const end = this.position + sentence.length;
    const phase = sentence.trim() === "" && last ? last.phase : classify(sentence);
    if (last && last.phase === phase) last.end = end;
    else this.segments.push({ start: this.position, end, phase });
    this.position = end;
  }

  /** At most `count` segments that cover the same text: each bucket gets the phase with most of it. */
  buckets(count: number): Segment[] {
    if (this.segments.length <= count) return this.segments;
    const step = this.position / count;
    const share = Array.from({ length: count }, () => new Map<Phase, number>());
    for (const { start, end, phase } of this.segments)
      for (let b = Math.floor(start / step); b < count && b * step < end; b++) {
        const covered = Math.min(end, (b + 1) * step) - Math.max(start, b * step);
        share[b]!.set(phase, (share[b]!.get(phase) ?? 0) + covered);
      }
    const out: Segment[] = [];
    share.forEach((phases, b) => {
      const phase = [...phases].sort((x, y) => y[1] - x[1])[0]?.[0] ?? "think";
      const last = out.at(-1);
      if (last && last.phase === phase) last.end = (b + 1) * step;
      else out.push({ start: b * step, end: (b + 1) * step, phase });
    });
    return out;
  }
}
