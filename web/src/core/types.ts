// What travels between the page and the server, by the names of the wire.

export interface Model {
  id: string;
  context_window?: number;
  status?: "loaded" | "available" | "loading";
  memory_bytes?: number;
  expected_tokens_per_second?: number;
  thinks?: boolean;
}

export interface Alternative {
  token: string;
  logprob: number;
  bytes?: number[] | null;
}

export interface TokenLogprob extends Alternative {
  top_logprobs?: Alternative[];
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_cache_hit_tokens?: number;
  prompt_cache_miss_tokens?: number;
  completion_tokens_details?: { reasoning_tokens?: number };
}

export interface Timings {
  queue_ms?: number;
  load_ms?: number;
  prompt_ms?: number;
  cache_n?: number;
  prompt_n?: number;
  think_ms?: number;
  answer_ms?: number;
  predicted_n?: number;
  predicted_per_second?: number;
}

export interface Chunk {
  id?: string;
  choices?: {
    index: number;
    delta?: { content?: string | null; reasoning_content?: string | null };
    logprobs?: { content?: TokenLogprob[] | null; reasoning_content?: TokenLogprob[] | null } | null;
    finish_reason?: string | null;
  }[];
  usage?: Usage | null;
  timings?: Timings | null;
  warnings?: string[];
  error?: { message: string; type?: string; code?: string; param?: string };
}

export interface Attachment {
  name: string;
  text: string;
}

export interface WireMessage {
  role: "system" | "user" | "assistant";
  content: string;
  reasoning_content?: string;
  prefix?: boolean;
}

/** A conversation as the history's list names it. */
export interface Listed {
  id: string;
  title: string;
  model?: string;
  created: number;
  updated: number;
  pinned?: boolean;
  archived?: boolean;
  head?: string | null;
  snippet?: string;
}

export interface StoredMessage {
  id: string;
  parent: string | null;
  role: "system" | "user" | "assistant";
  content: string;
  reasoning_content?: string | null;
  model?: string | null;
  created?: number;
  finish_reason?: string | null;
  usage?: Usage | null;
  timings?: Timings | null;
  attachments?: Attachment[] | null;
  trace?: StoredTrace | null;
}

/** Per token: text, logprob, alternatives as [text, logprob]. Short names: there may be 100,000 of them. */
export type StoredToken = [string, number, [string, number][]];
export interface StoredTrace {
  thought?: StoredToken[];
  answer?: StoredToken[];
}
