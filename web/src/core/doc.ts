// A text that grows: its blocks, its tokens, and for a thought its phases.
import { BlockSplitter } from "./blocks";
import { PhaseMap } from "./phases";
import { Trace } from "./trace";

export class TextDoc {
  text = "";
  readonly splitter = new BlockSplitter();
  readonly phases: PhaseMap | null;
  trace: Trace | null = null;

  constructor(thought: boolean, start = "") {
    this.phases = thought ? new PhaseMap() : null;
    if (start) this.append(start);
  }

  append(text: string): void {
    this.text += text;
    this.splitter.push(text);
    this.phases?.push(text);
  }

  get empty(): boolean {
    return this.text === "";
  }
}
