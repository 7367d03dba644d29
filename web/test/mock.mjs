// A server that speaks what the page needs and says what the tests expect: a thought, an answer, token data, history.
// `node test/mock.mjs [PORT]` runs it alone. It serves the page from dist/ with the headers of the real server.
import { createServer } from "node:http";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml", txt: "text/plain; charset=utf-8" };
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'";

const MODELS = [
  { id: "deepseek-r1-distill-qwen-1.5b", context_window: 32768, status: "loaded", memory_bytes: 1.9e9, expected_tokens_per_second: 24, thinks: true },
  { id: "smollm2-135m-instruct", context_window: 8192, status: "available", memory_bytes: 1.8e8, expected_tokens_per_second: 160, thinks: false },
  { id: "deepseek-v2-lite-chat", context_window: 163840, status: "available", memory_bytes: 1.04e10, expected_tokens_per_second: 11, thinks: true },
].map((m) => ({ object: "model", created: 1764000000, owned_by: "local", ...m }));

const PRIMES = {
  thought:
    "Okay, the user wants the number of primes below 50, and wants the count checked. First, let me list the candidates.\n\n2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47.\n\nCounting them in groups of five: 5 + 5 + 5 = 15. So there are 15.\n\nWait, is 49 prime? 49 = 7 * 7, so it is not. And 1 does not count, because a prime has exactly two divisors.\n\nLet me double-check with the sieve: crossing out multiples of 2, 3, 5 and 7 below 50 leaves exactly these numbers. The prime counting function gives pi(50) = 15, which agrees.\n\nTherefore the answer is 15.",
  answer:
    "There are **15 primes** below 50:\n\n> 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47\n\n**How the count was checked**\n\n1. The sieve removes multiples of 2, 3, 5 and 7; nothing larger is needed, since 7² = 49 is the last square below 50.\n2. 49 looks prime but is 7 × 7, and 1 has only one divisor.\n\nIn code:\n\n```python\nprimes = [n for n in range(2, 50)\n          if all(n % d for d in range(2, n))]\nprint(len(primes))  # 15\n```\n",
};
const SKY = {
  thought: "The user asks why the sky is blue. I need to explain Rayleigh scattering in a few words.\n\nScattering grows as the inverse fourth power of the wavelength, so blue at 450 nm scatters (650 / 450)^4 = 4.4 times more than red at 650 nm. Hmm, why not violet then? The sun emits less violet and our eyes are less sensitive to it.\n\nTherefore: blue.",
  answer: "Air molecules scatter short waves far more than long ones: the strength grows as the inverse **fourth power** of the wavelength. Blue light at 450 nm is scattered about 4.4 times as much as red at 650 nm, so blue reaches the eye from all over the sky.\n\nViolet is scattered even more, but the sun sends less of it and our eyes barely see it.",
};

function random(seed) {
  let state = seed >>> 0 || 1;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

const pieces = (text) => text.match(/\s*[\p{L}\p{N}]+|\s*[^\s\p{L}\p{N}]|\s+/gu) ?? [];
const bytesOf = (text) => [...Buffer.from(text)];

function logprobs(token, draw) {
  const doubt = draw() < 0.14;
  const p = doubt ? 0.3 + 0.6 * draw() : 0.97 + 0.03 * draw();
  const others = doubt ? [" perhaps", " so", " the"].slice(0, 1 + Math.floor(3 * draw())) : [" so"];
  const entry = (t, q) => ({ token: t, logprob: Math.log(q), bytes: bytesOf(t) });
  const rest = others.map((t, i) => entry(t, ((1 - p) * 0.9 ** i) / others.length));
  return { ...entry(token, p), top_logprobs: [entry(token, p), ...rest] };
}

/** What to say; the question chooses. Tests use the words in capitals. */
function script(question, seed) {
  if (question.includes("LONG")) {
    const words = "we check each case again and find that the sum of the parts equals the whole, so nothing is lost here".split(" ");
    let thought = "";
    for (let i = 0; thought.length < 440_000; i++) thought += `Step ${i}: ${words.join(" ")}. Wait, let me verify that ${i} + ${i} = ${2 * i}.${i % 3 ? " " : "\n\n"}`;
    return { thought, answer: "It is done.", fast: true };
  }
  if (question.includes("XSS")) return { thought: "", answer: question.replace(/^.*?XSS\s*/s, "") };
  if (question.includes("primes") || question.includes("质数")) return seed % 3 === 2 ? { ...PRIMES, answer: "There are 14." } : PRIMES;
  return SKY;
}

export function startMock({ port = 0, key = null, history = true, delay = 12 } = {}) {
  const files = new Map();
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) files.set(`/${relative(dist, join(entry.parentPath ?? entry.path, entry.name)).replace(/\.gz$/, "")}`, readFileSync(join(entry.parentPath ?? entry.path, entry.name)));
  const conversations = new Map();
  const running = new Map();
  const seen = []; // requests, for the tests
  let lastId = 0;

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    seen.push({ method: request.method, path: url.pathname, body: text, headers: request.headers });
    const send = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const refuse = (status, message) => send(status, { error: { message, type: "invalid_request_error" } });
    const page = files.get(url.pathname === "/" ? "/index.html" : url.pathname);
    if (page && request.method === "GET") {
      response.writeHead(200, { "content-type": TYPES[url.pathname.split(".").at(-1)] ?? TYPES.html, "content-encoding": "gzip", "content-security-policy": CSP, "x-content-type-options": "nosniff" });
      return response.end(page);
    }
    let body = {};
    try {
      body = text && url.pathname !== "/history/import" ? JSON.parse(text) : {};
    } catch {
      return refuse(400, "the body is not JSON");
    }
    if (url.pathname === "/session") {
      if (request.headers.authorization !== `Bearer ${key}`) return refuse(401, "wrong key");
      response.writeHead(204, { "set-cookie": `session=${key}; HttpOnly; SameSite=Strict; Path=/` });
      return response.end();
    }
    if (key && request.headers.cookie !== `session=${key}`) return refuse(401, "a key is needed");
    if (url.pathname === "/v1/models") return send(200, { object: "list", data: MODELS });
    if (url.pathname === "/v1/chat/completions") return complete(request, response, body, refuse);
    const control = /^\/v1\/chat\/completions\/([^/]+)\/control$/.exec(url.pathname);
    if (control) {
      const run = running.get(control[1]);
      if (!run) return refuse(404, "no such completion is running");
      run.action = body.action;
      return send(200, {});
    }
    const render = (m) => m.messages.map((x) => `<|${x.role}|>\n${x.content}\n`).join("") + "<|assistant|>\n<think>\n";
    if (url.pathname === "/apply-template") return send(200, { prompt: render(body), tokens: pieces(render(body)).map((_, i) => i) });
    if (url.pathname === "/detokenize") {
      const run = seen.filter((r) => r.path === "/apply-template").at(-1);
      return send(200, { content: pieces(render(JSON.parse(run.body))).slice(0, body.tokens.length).join("") });
    }
    if (history && url.pathname.startsWith("/history")) return keep(request, url, body, text, send, refuse);
    refuse(404, `there is no ${url.pathname}`);
  });

  async function complete(request, response, body, refuse) {
    const question = body.messages.findLast((m) => m.role === "user")?.content ?? "";
    if (question.includes("REFUSE")) return refuse(400, "the prompt has 9,001 tokens, the context 8,192: shorten it, or load a model with more context");
    const id = `c-${++lastId}`;
    const run = { action: "" };
    running.set(id, run);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const say = (chunk) => response.write(`data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 1764000000, model: body.model, usage: null, ...chunk })}\n\n`);
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    let closed = false;
    response.on("close", () => (closed = true));
    const { thought, answer, fast } = script(question, body.seed ?? 0);
    const draw = random(question.length + (body.seed ?? 0));
    const prefix = body.messages.at(-1).prefix ? body.messages.at(-1) : null;
    const think = body.thinking?.type !== "disabled" && !(prefix && prefix.content);
    const begun = performance.now();
    await wait(fast ? 20 : 25 * delay);
    const promptMs = performance.now() - begun;
    say({ choices: [{ index: 0, delta: { role: "assistant", content: null, reasoning_content: "" }, finish_reason: null }] });
    let [thoughts, answers, finish] = [0, 0, "stop"];
    const thinkBegun = performance.now();
    const speak = async (tokens, field, limit) => {
      const step = fast ? 200 : 1;
      for (let i = 0; i < tokens.length && !closed; i += step) {
        if (run.action === "stop") return void (finish = "stop");
        if (run.action === "answer_now" && field === "reasoning_content") return;
        const part = tokens.slice(i, i + step);
        if (field === "content") answers += part.length;
        else thoughts += part.length;
        const delta = field === "content" ? { content: part.join(""), reasoning_content: null } : { content: null, reasoning_content: part.join("") };
        say({ choices: [{ index: 0, delta, finish_reason: null, logprobs: { [field]: part.map((t) => logprobs(t, draw)) } }] });
        if (thoughts + answers >= limit) return void (finish = "length");
        await wait(fast ? 0 : delay);
        if (question.includes("BREAK") && i > 5) return say({ error: { message: "the model gave numbers that are not numbers (layer 3)", type: "server_error" } }), (closed = true);
      }
    };
    const limit = body.max_tokens ?? Infinity;
    if (think && thought) await speak(pieces(prefix ? ` ${thought.slice(-200)}` : thought), "reasoning_content", limit);
    const thinkMs = thoughts ? performance.now() - thinkBegun : 0;
    const answerBegun = performance.now();
    if (run.action !== "stop" && finish !== "length") await speak(pieces(prefix?.content ? " and so it goes on." : answer), "content", limit);
    running.delete(id);
    if (closed) return response.end();
    const prompt = pieces(question).length + 40;
    const hit = body.messages.length > 1 ? Math.floor(prompt * 0.8) : 16;
    const ended = performance.now();
    say({
      choices: [{ index: 0, delta: { content: "", reasoning_content: null }, finish_reason: finish }],
      usage: { prompt_tokens: prompt, completion_tokens: thoughts + answers, total_tokens: prompt + thoughts + answers, prompt_cache_hit_tokens: hit, prompt_cache_miss_tokens: prompt - hit, completion_tokens_details: { reasoning_tokens: thoughts } },
      timings: { queue_ms: 2, load_ms: 0, prompt_ms: promptMs, cache_n: hit, prompt_n: prompt - hit, think_ms: thinkMs, answer_ms: ended - answerBegun, predicted_n: thoughts + answers, predicted_per_second: ((thoughts + answers) / (ended - thinkBegun)) * 1000 },
    });
    response.end("data: [DONE]\n\n");
  }

  function keep(request, url, body, text, send, refuse) {
    const now = Date.now() / 1000;
    const [, , id, sub] = url.pathname.split("/");
    const outline = ({ messages, ...rest }) => rest;
    if (!id && request.method === "GET") {
      const q = (url.searchParams.get("q") ?? "").toLowerCase();
      const hits = [...conversations.values()].filter((c) => !q || JSON.stringify([c.title, c.messages.map((m) => m.content)]).toLowerCase().includes(q));
      return send(200, { conversations: hits.sort((a, b) => b.updated - a.updated).map(outline) });
    }
    if (!id) {
      const made = { id: `h-${++lastId}`, title: body.title, model: body.model, created: now, updated: now, pinned: false, archived: false, head: null, messages: [] };
      conversations.set(made.id, made);
      return send(200, outline(made));
    }
    if (id === "import") {
      for (const line of text.split("\n").filter(Boolean)) {
        const c = JSON.parse(line);
        conversations.set(c.id, c);
      }
      return send(200, {});
    }
    if (id === "export") return send(200, [...conversations.values()]);
    const c = conversations.get(id);
    if (!c) return refuse(404, "no such conversation");
    if (sub === "messages") {
      const message = { id: `m-${++lastId}`, created: now, ...body };
      c.messages.push(message);
      c.updated = now;
      return send(200, { id: message.id });
    }
    if (request.method === "PATCH") return Object.assign(c, body), send(200, outline(c));
    if (request.method === "DELETE") return conversations.delete(id), send(200, {});
    send(200, c);
  }

  return new Promise((ready) => server.listen(port, "127.0.0.1", () => ready({ url: `http://127.0.0.1:${server.address().port}`, seen, conversations, close: () => (server.closeAllConnections(), server.close()) })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startMock({ port: Number(process.argv[2] ?? 8123) });
  console.log(`mock server on ${url}`);
}
