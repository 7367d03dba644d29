// A conversation is a tree of turns; what one sees is the path from its root to a head.
import { signal } from "@preact/signals";
import { TextDoc } from "./doc";
import { Trace } from "./trace";
import type { Attachment, StoredMessage, Timings, Usage, WireMessage } from "./types";

export type Status = "waiting" | "thinking" | "answering" | "done" | "stopped" | "failed";
export const running = (status: Status) => status === "waiting" || status === "thinking" || status === "answering";

/** What an assistant turn consists of; grows while it runs. `tick` changes whenever its texts did. */
export class Reply {
  readonly tick = signal(0);
  readonly status = signal<Status>("waiting");
  thought: TextDoc;
  answer: TextDoc;
  thoughtStart: number; // length of the text that was given, not generated: a prefix
  answerStart: number;
  stopping = false; // one asked for its end
  completion = ""; // the server's id of the completion
  error = "";
  warnings: string[] = [];
  finish: string | null = null;
  usage: Usage | null = null;
  timings: Timings | null = null;
  tokens = 0; // seen so far
  thoughtTokens = 0;
  begun = performance.now();
  thinkBegun = 0;
  answerBegun = 0;
  ended = 0;
  traceNote = "";

  constructor(thought = "", answer = "") {
    this.thought = new TextDoc(true, thought);
    this.answer = new TextDoc(false, answer);
    this.thoughtStart = thought.length;
    this.answerStart = answer.length;
  }

  private scheduled = false;
  /** Tells the views, at most once per frame. */
  touch(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const tell = () => {
      if (!this.scheduled) return;
      this.scheduled = false;
      this.tick.value++;
    };
    if (document.hidden) setTimeout(tell, 100);
    else requestAnimationFrame(tell);
  }

  /** Seconds of thinking: measured by the server once it is over, by the page until then. */
  get thinkSeconds(): number {
    if (this.timings?.think_ms) return this.timings.think_ms / 1000;
    if (!this.thinkBegun) return 0;
    return ((this.answerBegun || this.ended || performance.now()) - this.thinkBegun) / 1000;
  }
}

let lastKey = 0;

export class Turn {
  readonly key = ++lastKey;
  readonly children: Turn[] = [];
  id: string | null = null; // in the history
  created = Date.now() / 1000;
  chosen: Turn | null = null; // the child that was last looked at
  constructor(
    readonly role: "user" | "assistant",
    readonly parent: Turn | null,
    readonly content: string,
    readonly reply: Reply | null = null,
    readonly model = "",
    readonly attachments: Attachment[] = [],
  ) {}
}

export class Conversation {
  id: string | null = null;
  readonly roots: Turn[] = [];
  readonly head = signal<Turn | null>(null);
  readonly shape = signal(0); // changes with the tree

  add(turn: Turn): Turn {
    this.siblings(turn).push(turn);
    this.choose(turn);
    return turn;
  }

  siblings(turn: Turn): Turn[] {
    return turn.parent ? turn.parent.children : this.roots;
  }

  /** Shows the branch that a turn lies on, down to the leaf that was last seen there. */
  choose(turn: Turn): void {
    for (let t: Turn | null = turn; t; t = t.parent) if (t.parent) t.parent.chosen = t;
    let leaf = turn;
    while (leaf.children.length) leaf = leaf.chosen ?? leaf.children.at(-1)!;
    this.head.value = leaf;
    this.shape.value++;
  }

  remove(turn: Turn): void {
    const siblings = this.siblings(turn);
    siblings.splice(siblings.indexOf(turn), 1);
    if (turn.parent?.chosen === turn) turn.parent.chosen = siblings.at(-1) ?? null;
    const next = siblings.at(-1) ?? turn.parent;
    if (next) this.choose(next);
    else (this.head.value = null), this.shape.value++;
  }

  path(leaf: Turn | null = this.head.value): Turn[] {
    const turns: Turn[] = [];
    for (let t = leaf; t; t = t.parent) turns.push(t);
    return turns.reverse();
  }
}

export function withAttachments(content: string, attachments: Attachment[]): string {
  const files = attachments.map(({ name, text }) => {
    const fence = "`".repeat(Math.max(3, ...[...text.matchAll(/`{3,}/g)].map((m) => m[0].length + 1)));
    return `${name}\n${fence}\n${text}${text.endsWith("\n") ? "" : "\n"}${fence}`;
  });
  return [content, ...files].filter(Boolean).join("\n\n");
}

/** What the model is given of a path. Earlier thoughts are not sent: models are trained without them. */
export function wireMessages(path: Turn[], system: string): WireMessage[] {
  const messages: WireMessage[] = system.trim() ? [{ role: "system", content: system }] : [];
  for (const turn of path)
    messages.push(
      turn.reply
        ? { role: "assistant", content: turn.reply.answer.text }
        : { role: "user", content: withAttachments(turn.content, turn.attachments) },
    );
  return messages;
}

export function restoreReply(message: StoredMessage): Reply {
  const reply = new Reply(message.reasoning_content ?? "", message.content);
  reply.status.value = message.finish_reason === "stopped" ? "stopped" : "done";
  reply.finish = message.finish_reason ?? null;
  reply.usage = message.usage ?? null;
  reply.timings = message.timings ?? null;
  reply.thought.phases?.finish();
  reply.thoughtStart = reply.answerStart = 0;
  for (const part of ["thought", "answer"] as const) {
    const stored = message.trace?.[part];
    if (!stored) continue;
    const trace = new Trace(Math.max(0, reply[part].text.length - stored.reduce((n, [text]) => n + text.length, 0)));
    trace.restore(stored);
    reply[part].trace = trace;
  }
  return reply;
}

/** The tree of a stored conversation. */
export function restore(messages: StoredMessage[], head: string | null | undefined): Conversation {
  const conversation = new Conversation();
  const turns = new Map<string, Turn>();
  for (const m of messages) {
    if (m.role === "system") continue;
    const parent = m.parent ? (turns.get(m.parent) ?? null) : null;
    const reply = m.role === "assistant" ? restoreReply(m) : null;
    const turn = new Turn(m.role, parent, m.content, reply, m.model ?? "", m.attachments ?? []);
    turn.id = m.id;
    if (m.created) turn.created = m.created;
    turns.set(m.id, turn);
    conversation.siblings(turn).push(turn);
  }
  const shown = (head && turns.get(head)) || [...turns.values()].at(-1);
  if (shown) conversation.choose(shown);
  return conversation;
}
