// The state of the page and what can be done with it.
import { computed, signal } from "@preact/signals";
import * as api from "./api";
import { ApiError } from "./api";
import { Conversation, Reply, Turn, running, withAttachments, wireMessages } from "./conversation";
import { saveHead, saveTurn, startConversation } from "./history";
import { t } from "./i18n";
import { set, settings } from "./settings";
import { Trace } from "./trace";
import type { Attachment, Chunk, Model } from "./types";

export const models = signal<Model[]>([]);
export const problem = signal(""); // a sentence about the server as a whole
export const keyNeeded = signal(false);
export const conversation = signal(new Conversation());
export const selected = signal<Turn | null>(null); // the answer that the glass box shows
export const glassOpen = signal(false);
export const draft = signal("");
export const attachments = signal<Attachment[]>([]);
const active = signal<ReadonlyMap<Turn, AbortController>>(new Map());

export const model = computed(() => {
  const list = models.value;
  return list.find((m) => m.id === settings.value.model) ?? list.find((m) => m.status === "loaded") ?? list[0] ?? null;
});
export const path = computed(() => (conversation.value.shape.value, conversation.value.path()));
export const runs = computed(() => path.value.filter((turn) => active.value.has(turn)));
/** The answer to look into: the selected one if it is on the shown path, else the last. */
export const focused = computed(() => {
  const answers = path.value.filter((turn) => turn.reply);
  return answers.find((turn) => turn === selected.value) ?? answers.at(-1) ?? null;
});

export async function refreshModels(): Promise<void> {
  try {
    models.value = await api.models();
    problem.value = "";
    keyNeeded.value = false;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) keyNeeded.value = true;
    else problem.value = error instanceof ApiError ? error.message : t("connectionLost");
  }
}

export function newChat(): void {
  conversation.value = new Conversation();
  selected.value = null;
}

/** Sends a question below a turn (null: as the beginning). */
export async function ask(content: string, files: Attachment[], parent: Turn | null): Promise<void> {
  const chat = conversation.value;
  const question = chat.add(new Turn("user", parent, content, null, "", files));
  const saved = startConversation(chat, withAttachments(content, files), model.value?.id ?? "").then(() => saveTurn(chat, question));
  generate(chat, question, saved);
}

export const retry = (answer: Turn) => void generate(conversation.value, answer.parent!);

/** Several answers to the same question at once; they share the computed prompt. */
export function askAgain(answer: Turn, count: number): void {
  for (let i = 0; i < count; i++) generate(conversation.value, answer.parent!, Promise.resolve(), {}, i + 1);
}

export interface Start {
  thought?: string;
  answer?: string;
}

/** Continues from a given beginning of thought and answer, as a new branch beside `answer`. */
export function continueFrom(answer: Turn, start: Start): void {
  const turn = generate(conversation.value, answer.parent!, Promise.resolve(), start);
  const before = answer.reply!.thought;
  if (start.thought === before.text) turn.reply!.thought.trace = before.trace;
}

function generate(chat: Conversation, question: Turn, saved: Promise<void> = Promise.resolve(), start: Start = {}, draw = 0): Turn {
  const chosen = model.value;
  const reply = new Reply(start.thought, start.answer);
  const turn = chat.add(new Turn("assistant", question, "", reply, chosen?.id ?? ""));
  const abort = new AbortController();
  active.value = new Map(active.value).set(turn, abort);
  void run(chat, turn, reply, question, start, draw, abort)
    .then(() => saved)
    .then(() => saveTurn(chat, turn))
    .catch((error: Error) => reply.warnings.push(t("notSaved", { why: error.message })))
    .finally(() => {
      const left = new Map(active.value);
      left.delete(turn);
      active.value = left;
      reply.touch();
      if (chosen?.status !== "loaded") void refreshModels();
    });
  return turn;
}

async function run(chat: Conversation, turn: Turn, reply: Reply, question: Turn, start: Start, draw: number, abort: AbortController): Promise<void> {
  const s = settings.value;
  const messages = wireMessages(chat.path(question), s.system);
  const given = start.thought !== undefined || start.answer !== undefined;
  if (given)
    messages.push({ role: "assistant", content: start.answer ?? "", prefix: true, ...(start.thought ? { reasoning_content: start.thought } : {}) });
  const think = s.think && turn.model !== "" && model.value?.thinks !== false;
  try {
    if (!turn.model) throw new ApiError(t("noModels"), 0);
    await api.complete(
      {
        model: turn.model,
        messages,
        thinking: model.value?.thinks === false ? undefined : { type: think || start.thought ? "enabled" : "disabled" },
        thinking_budget: think ? (s.budget ?? undefined) : undefined,
        max_tokens: s.maxTokens ?? undefined,
        temperature: s.temperature ?? undefined,
        top_p: s.topP ?? undefined,
        seed: s.seed !== null ? s.seed + draw : draw ? Math.floor(Math.random() * 2 ** 31) : undefined,
      },
      abort.signal,
      (chunk) => take(reply, chunk),
    );
    finish(reply, reply.stopping ? "stopped" : "done");
  } catch (error) {
    if (abort.signal.aborted) return finish(reply, "stopped");
    const known = error instanceof ApiError;
    if (known && error.status === 401) keyNeeded.value = true;
    reply.error = known ? error.message : error instanceof TypeError ? t("connectionLost") : String(error);
    finish(reply, "failed");
  }
}

function take(reply: Reply, chunk: Chunk): void {
  if (chunk.error) throw new ApiError(chunk.error.message, 0);
  if (chunk.id) reply.completion = chunk.id;
  if (chunk.usage) reply.usage = chunk.usage;
  if (chunk.timings) reply.timings = chunk.timings;
  if (chunk.warnings) reply.warnings = chunk.warnings;
  const choice = chunk.choices?.[0];
  if (!choice) return;
  const { content, reasoning_content: thought } = choice.delta ?? {};
  const now = performance.now();
  if (thought) {
    reply.thinkBegun ||= now;
    reply.status.value = "thinking";
    reply.thought.append(thought);
  }
  if (content) {
    if (!reply.answerBegun) {
      reply.answerBegun = now;
      reply.status.value = "answering";
      reply.thought.phases?.finish();
    }
    reply.answer.append(content);
  }
  const { content: answerTokens, reasoning_content: thoughtTokens } = choice.logprobs ?? {};
  if (thoughtTokens?.length) (reply.thought.trace ??= new Trace(reply.thoughtStart)).add(thoughtTokens);
  if (answerTokens?.length) (reply.answer.trace ??= new Trace(reply.answerStart)).add(answerTokens);
  reply.thoughtTokens += thoughtTokens?.length ?? (thought ? 1 : 0);
  reply.tokens += (thoughtTokens?.length ?? (thought ? 1 : 0)) + (answerTokens?.length ?? (content ? 1 : 0));
  if (choice.finish_reason) reply.finish = choice.finish_reason;
  reply.touch();
}

function finish(reply: Reply, status: "done" | "stopped" | "failed"): void {
  reply.ended = performance.now();
  reply.status.value = status;
  if (status === "stopped") reply.finish = "stopped";
  reply.thought.phases?.finish();
  reply.touch();
}

/** Asks the server to end cleanly, so that its figures arrive; closes the connection if it does not. */
export function stop(turn: Turn): void {
  const abort = active.value.get(turn);
  const reply = turn.reply;
  if (!abort || !reply) return;
  reply.stopping = true;
  if (!reply.completion) return abort.abort();
  api.control(reply.completion, "stop").catch(() => abort.abort());
  setTimeout(() => abort.abort(), 1500);
}

export function steer(turn: Turn, action: "answer_now" | "think_longer"): void {
  const reply = turn.reply;
  if (!reply?.completion || !running(reply.status.value)) return;
  api.control(reply.completion, action).catch((error: Error) => {
    reply.warnings = [...reply.warnings, error.message];
    reply.touch();
  });
}

/** Esc: the first time ends the thought, then ends the answer. */
export function interrupt(): boolean {
  const turn = runs.value.at(-1);
  if (!turn) return false;
  if (turn.reply!.status.value === "thinking") steer(turn, "answer_now");
  else stop(turn);
  return true;
}

export const chooseModel = (id: string) => set("model", id);

export function moveBranch(turn: Turn, step: number): void {
  const siblings = conversation.value.siblings(turn);
  const next = siblings[siblings.indexOf(turn) + step];
  if (!next) return;
  conversation.value.choose(next);
  if (selected.value === turn) selected.value = next;
  void saveHead(conversation.value);
}
