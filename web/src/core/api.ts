// The server, as the page sees it: same origin, a cookie if it wants a key.
import { readEvents } from "./sse";
import type { Chunk, Listed, Model, StoredMessage, WireMessage } from "./types";

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

async function failure(response: Response): Promise<ApiError> {
  let message = `${response.status} ${response.statusText}`;
  try {
    const body = (await response.json()) as { error?: { message?: string } | string };
    message = (typeof body.error === "string" ? body.error : body.error?.message) ?? message;
  } catch {
    // not JSON: the status line says it
  }
  const after = Number(response.headers.get("retry-after"));
  return new ApiError(message, response.status, after > 0 ? after : null);
}

async function request(path: string, method = "GET", body?: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method, signal, credentials: "same-origin" };
  if (body !== undefined) {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const response = await fetch(path, init);
  if (!response.ok) throw await failure(response);
  return response;
}

const json = async <T>(path: string, method = "GET", body?: unknown) =>
  (await request(path, method, body)).json() as Promise<T>;

/** Exchanges the key of the address (#k=...) for a cookie and removes it from the address. */
export async function openSession(): Promise<void> {
  const key = new URLSearchParams(location.hash.slice(1)).get("k");
  if (key === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  await postKey(key);
}

/** The key is shown once, as a bearer token; from then on the cookie that comes back stands for it. */
export async function postKey(key: string): Promise<void> {
  const response = await fetch("/session", { method: "POST", headers: { authorization: `Bearer ${key}` }, credentials: "same-origin" });
  if (!response.ok) throw await failure(response);
}

export interface CompletionRequest {
  model: string;
  messages: WireMessage[];
  thinking?: { type: "enabled" | "disabled" };
  thinking_budget?: number;
  max_tokens?: number;
  temperature?: number;
  top_p?: number;
  seed?: number;
}

export async function complete(body: CompletionRequest, signal: AbortSignal, chunk: (c: Chunk) => void): Promise<void> {
  const whole = { ...body, stream: true, stream_options: { include_usage: true }, logprobs: true, top_logprobs: 5 };
  const response = await request("/v1/chat/completions", "POST", whole, signal);
  let ended = false;
  await readEvents(response.body!, (data) => {
    if (data === "[DONE]") ended = true;
    else chunk(JSON.parse(data) as Chunk);
  });
  if (!ended) throw new ApiError("the stream broke off before its end", 0);
}

export type Control = "answer_now" | "think_longer" | "stop";
export const control = (id: string, action: Control) =>
  request(`/v1/chat/completions/${encodeURIComponent(id)}/control`, "POST", { action });

export const models = async () => (await json<{ data: Model[] }>("/v1/models")).data;
export const applyTemplate = (model: string, messages: WireMessage[], thinking: boolean) =>
  json<{ prompt: string; tokens?: number[] }>("/apply-template", "POST", {
    model,
    messages,
    ...(thinking && { thinking: { type: "enabled" } }),
  });
export const detokenize = async (model: string, tokens: number[]) => {
  const body = await json<{ content?: string; text?: string }>("/detokenize", "POST", { model, tokens });
  return body.content ?? body.text ?? "";
};

const at = (id: string) => `/history/${encodeURIComponent(id)}`;
export const listHistory = async (query: string, limit = 200) =>
  (await json<{ conversations: Listed[] }>(`/history?q=${encodeURIComponent(query)}&limit=${limit}`)).conversations;
export const createConversation = (title: string, model: string) => json<Listed>("/history", "POST", { title, model });
export const readConversation = (id: string) => json<Listed & { messages: StoredMessage[] }>(at(id));
export const patchConversation = (id: string, fields: Partial<Listed>) => request(at(id), "PATCH", fields);
export const deleteConversation = (id: string) => request(at(id), "DELETE");
export const storeMessage = (id: string, message: Omit<StoredMessage, "id">) =>
  json<{ id: string }>(`${at(id)}/messages`, "POST", message);
export async function importHistory(file: File): Promise<void> {
  const response = await fetch("/history/import", { method: "POST", body: file, credentials: "same-origin" });
  if (!response.ok) throw await failure(response);
}
