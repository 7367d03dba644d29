// Conversations that the server keeps. Without a history on the server everything stays in this page only.
import { signal } from "@preact/signals";
import * as api from "./api";
import { ApiError } from "./api";
import { type Conversation, type Turn, restore, running } from "./conversation";
import type { Listed, StoredTrace } from "./types";

export const kept = signal<boolean | null>(null); // does the server keep a history? null: not known yet
export const listed = signal<Listed[]>([]);
export const query = signal("");
const MOST_TRACE = 4_000_000; // characters of token data that are stored with a message

export async function refreshList(): Promise<void> {
  const asked = query.value;
  try {
    const found = await api.listHistory(asked);
    if (query.value !== asked) return;
    listed.value = found;
    kept.value = true;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 405)) kept.value = false;
  }
}

const titleOf = (text: string) => {
  const words = text.trim().replace(/\s+/g, " ");
  return words.length > 60 ? `${words.slice(0, 60).replace(/\s\S*$/, "")}…` : words;
};

export async function startConversation(chat: Conversation, question: string, model: string): Promise<void> {
  if (kept.value === null) await refreshList();
  if (!kept.value || chat.id) return;
  chat.id = (await api.createConversation(titleOf(question), model)).id;
  await refreshList();
}

export async function saveTurn(chat: Conversation, turn: Turn): Promise<void> {
  const reply = turn.reply;
  if (!kept.value || !chat.id || turn.id || reply?.status.value === "failed") return;
  if (turn.parent && !turn.parent.id) return; // its question was not saved; that was reported
  const stored = await api.storeMessage(chat.id, {
    parent: turn.parent?.id ?? null,
    role: turn.role,
    content: reply ? reply.answer.text : turn.content,
    ...(reply && {
      reasoning_content: reply.thought.text,
      model: turn.model,
      finish_reason: reply.finish,
      usage: reply.usage,
      timings: reply.timings,
      trace: traceOf(turn),
    }),
    ...(turn.attachments.length && { attachments: turn.attachments }),
  });
  turn.id = stored.id;
  await saveHead(chat);
  await refreshList();
}

function traceOf(turn: Turn): StoredTrace | null {
  const reply = turn.reply!;
  if (!reply.thought.trace && !reply.answer.trace) return null;
  const trace: StoredTrace = {
    thought: reply.thought.trace?.store(reply.thought.text),
    answer: reply.answer.trace?.store(reply.answer.text),
  };
  if (JSON.stringify(trace).length <= MOST_TRACE) return trace;
  reply.traceNote = "cut";
  return null;
}

export async function saveHead(chat: Conversation): Promise<void> {
  const head = chat.head.value;
  if (kept.value && chat.id && head?.id && !(head.reply && running(head.reply.status.value)))
    await api.patchConversation(chat.id, { head: head.id });
}

export async function open(id: string): Promise<Conversation> {
  const stored = await api.readConversation(id);
  const chat = restore(stored.messages, stored.head);
  chat.id = id;
  return chat;
}

export async function patch(id: string, fields: Partial<Listed>): Promise<void> {
  await api.patchConversation(id, fields);
  await refreshList();
}

export async function remove(id: string): Promise<void> {
  await api.deleteConversation(id);
  await refreshList();
}

export function markdownOf(path: Turn[]): string {
  return path
    .map((turn) => {
      if (!turn.reply) return `## You\n\n${turn.content}\n`;
      const thought = turn.reply.thought.text.trim();
      const quoted = thought ? `${thought.replace(/^/gm, "> ")}\n\n` : "";
      return `## ${turn.model}\n\n${quoted}${turn.reply.answer.text}\n`;
    })
    .join("\n");
}
