import { describe, expect, it } from "vitest";
import { Alignment } from "./align";
import { Conversation, Reply, restore, Turn, wireMessages, withAttachments } from "./conversation";
import { wordDiff } from "./diff";
import { en } from "./i18n";
import { essence, lastResult, linkAnswer, mismatch } from "./links";
import { renderMarkdown } from "./markdown";
import { classify, PhaseMap } from "./phases";
import { SseParser } from "./sse";
import { doubtLevel, entropyBits, Trace } from "./trace";
import { zh } from "./zh";

const bytes = (text: string) => [...new TextEncoder().encode(text)];

describe("SseParser", () => {
  const stream = ': keep-alive\n\ndata: {"a":1}\r\n\r\ndata: two\ndata: lines\n\nevent: x\nid: 3\n\ndata:[DONE]\n\n';
  it("gives the same events at any chunking", () => {
    for (let size = 1; size < stream.length; size++) {
      const events: string[] = [];
      const parser = new SseParser((data) => events.push(data));
      for (let at = 0; at < stream.length; at += size) parser.push(stream.slice(at, at + size));
      expect(events).toEqual(['{"a":1}', "two\nlines", "[DONE]"]);
    }
  });
});

describe("entropy", () => {
  it("is that of the distribution when all of it is known", () => {
    expect(entropyBits([Math.log(0.5), Math.log(0.5)])).toBeCloseTo(1, 6);
    expect(entropyBits([0])).toBeCloseTo(0, 6);
    expect(entropyBits([0.25, 0.25, 0.25, 0.25].map(Math.log))).toBeCloseTo(2, 6);
  });
  it("counts what is missing as one outcome", () => {
    expect(entropyBits([Math.log(0.5), Math.log(0.25)])).toBeCloseTo(1.5, 6);
  });
  it("has five levels", () => {
    expect([0, 0.7, 1.2, 2, 5].map(doubtLevel)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("Trace", () => {
  it("places tokens that end inside a character", () => {
    const trace = new Trace();
    const [a, b] = [bytes("é").slice(0, 1), bytes("é").slice(1)];
    trace.add([
      { token: "caf", logprob: 0, bytes: bytes("caf") },
      { token: "\ufffd", logprob: 0, bytes: a },
      { token: "\ufffd", logprob: 0, bytes: b },
      { token: "😀", logprob: 0, bytes: bytes("😀") },
    ]);
    expect(trace.tokens.map((t) => [t.start, t.end])).toEqual([[0, 3], [3, 3], [3, 4], [4, 6]]);
    expect(trace.at(3)).toBe(trace.tokens[2]);
    expect(trace.at(5)).toBe(trace.tokens[3]);
    expect(trace.at(6)).toBe(null);
    expect(trace.firstAfter(3)).toBe(2);
  });
  it("survives being stored", () => {
    const trace = new Trace();
    trace.add([{ token: "Hi", logprob: -0.5, bytes: bytes("Hi"), top_logprobs: [{ token: "Hi", logprob: -0.5 }, { token: "Yo", logprob: -1 }] }]);
    const back = new Trace();
    back.restore(trace.store("Hi"));
    expect(back.tokens).toEqual(trace.tokens.map((t) => ({ ...t, alternatives: t.alternatives.map(({ token, logprob }) => ({ token, logprob })) })));
  });
});

describe("phases", () => {
  it("are told by words", () => {
    expect(classify("Wait, that is wrong.")).toBe("turn");
    expect(classify("Let me double-check it.")).toBe("check");
    expect(classify("So 3 * 4 = 12.")).toBe("calculate");
    expect(classify("First, I list them.")).toBe("plan");
    expect(classify("Therefore it is blue.")).toBe("conclude");
    expect(classify("等等，不对。")).toBe("turn");
    expect(classify("Birds sing.")).toBe("think");
  });
  it("cover the text in order, however it comes", () => {
    const text = "First, a plan. Then 1 + 1 = 2. Wait, no. Birds sing\nTherefore yes.";
    const maps = [1, 4, 100].map((size) => {
      const map = new PhaseMap();
      for (let at = 0; at < text.length; at += size) map.push(text.slice(at, at + size));
      map.finish();
      return map.segments;
    });
    expect(maps[1]).toEqual(maps[0]);
    expect(maps[2]).toEqual(maps[0]);
    expect(maps[0]!.map((s) => text.slice(s.start, s.end)).join("")).toBe(text);
    expect(maps[0]!.map((s) => s.phase)).toEqual(["plan", "calculate", "turn", "think", "conclude"]);
  });
  it("fit into few buckets", () => {
    const map = new PhaseMap();
    for (let i = 0; i < 1000; i++) map.push(i % 2 ? "Wait, no. " : "First, a plan. ");
    map.finish();
    const buckets = map.buckets(100);
    expect(buckets.length).toBeLessThanOrEqual(100);
    expect(buckets[0]!.start).toBe(0);
    expect(buckets.at(-1)!.end).toBeCloseTo(map.segments.at(-1)!.end, 3);
  });
});

describe("links", () => {
  it("find the first appearance of whole words", () => {
    const thought = "It is 142, no: 42. `sort` is used by Rayleigh.";
    const answer = "So `sort` gives 42 (Rayleigh).";
    expect(linkAnswer(answer, thought).map((l) => [l.text, l.thought, answer.slice(l.start, l.end)])).toEqual([
      ["sort", 20, "sort"],
      ["42", 15, "42"],
      ["Rayleigh", 37, "Rayleigh"],
    ]);
  });
  it("take numbers without the comma behind them", () => {
    expect(linkAnswer("2, 3,000, 1.5.", "2 and 3,000 and 1.5").map((l) => l.text)).toEqual(["2", "3,000", "1.5"]);
  });
  it("flag an answer that differs from the thought's result", () => {
    expect(lastResult("so 6 * 7 = 42. The answer is 42.")).toBe("42");
    expect(mismatch("It is 41.", "... the answer is 42.")).toBe("42");
    expect(mismatch("It is 42.0.", "... the answer is 42.")).toBe(null);
    expect(mismatch("It is 1000", "the sum is 1,000.")).toBe(null);
    expect(mismatch("No numbers.", "= 42")).toBe(null);
  });
  it("reduce answers to what they say", () => {
    expect(essence("The answer is **15**.")).toBe("15");
    expect(essence("There are 15 of them: \\boxed{15}")).toBe("15");
    expect(essence("Yes.")).toBe(essence("yes"));
  });
});

describe("wordDiff", () => {
  it("puts both texts together again", () => {
    const [a, b] = ["the quick brown fox jumps", "the slow brown cat jumps high"];
    const pieces = wordDiff(a, b)!;
    const text = (kind: string) => pieces.filter((p) => p.kind === "same" || p.kind === kind).map((p) => p.text).join("");
    expect(text("removed")).toBe(a);
    expect(text("added")).toBe(b);
    expect(pieces.filter((p) => p.kind === "removed").map((p) => p.text)).toEqual(["quick", "fox"]);
  });
  it("declines what is too different", () => {
    expect(wordDiff("a ".repeat(3000), "b ".repeat(3000))).toBe(null);
    expect(wordDiff("a b ".repeat(3000), "a b ".repeat(3000) + "c")).not.toBe(null);
  });
});

describe("Alignment", () => {
  it("finds the source of rendered words", () => {
    const source = "A **bold** word, `code` and [a link](http://x.y) &amp; more.\n";
    const root = document.createElement("div");
    root.append(renderMarkdown(source));
    const alignment = new Alignment(root, source, 100);
    for (const word of ["bold", "code", "link", "more"]) {
      const at = 100 + source.indexOf(word);
      expect(alignment.ranges(at, at + word.length).map(String).join("")).toBe(word);
    }
    const node = alignment.nodes.find((n) => n.data === "bold")!;
    expect(alignment.sourceAt(node, 0)).toBe(100 + source.indexOf("bold"));
  });
  it("is not led astray by the line ends between list items", () => {
    const source = "1. Red\n2. Blue\n3. Green\n";
    const root = document.createElement("div");
    root.append(renderMarkdown(source));
    const alignment = new Alignment(root, source, 0);
    for (const word of ["Red", "Blue", "Green"])
      expect(alignment.ranges(source.indexOf(word), source.indexOf(word) + word.length).map(String).join("")).toBe(word);
  });
  it("skips what a fence does not show", () => {
    const source = "```python\nprimes\n```\n";
    const root = document.createElement("div");
    root.append(renderMarkdown(source));
    expect(new Alignment(root, source, 0).ranges(10, 16).map(String)).toEqual(["primes"]);
  });
});

describe("Conversation", () => {
  const ask = (chat: Conversation, parent: Turn | null, text: string) => chat.add(new Turn("user", parent, text));
  const answer = (chat: Conversation, parent: Turn, text: string) => chat.add(new Turn("assistant", parent, "", new Reply("t", text)));
  it("remembers where one was on each branch", () => {
    const chat = new Conversation();
    const q = ask(chat, null, "q");
    const a1 = answer(chat, q, "a1");
    const q2 = ask(chat, a1, "q2");
    const a2 = answer(chat, q, "a2");
    expect(chat.path().at(-1)).toBe(a2);
    chat.choose(a1);
    expect(chat.path()).toEqual([q, a1, q2]);
    chat.remove(a1);
    expect(chat.path()).toEqual([q, a2]);
  });
  it("sends answers without their thoughts, and files as fences", () => {
    const chat = new Conversation();
    const q = chat.add(new Turn("user", null, "q", null, "", [{ name: "a.md", text: "```\nx\n```" }]));
    answer(chat, q, "a");
    expect(wireMessages(chat.path(), "be brief")).toEqual([
      { role: "system", content: "be brief" },
      { role: "user", content: "q\n\na.md\n````\n```\nx\n```\n````" },
      { role: "assistant", content: "a" },
    ]);
    expect(withAttachments("", [])).toBe("");
  });
  it("comes back from the history", () => {
    const chat = restore(
      [
        { id: "1", parent: null, role: "user", content: "q" },
        { id: "2", parent: "1", role: "assistant", content: "a", reasoning_content: "Wait, no.", trace: { answer: [["a", -1, [["b", -2]]]] } },
        { id: "3", parent: "1", role: "assistant", content: "b" },
      ],
      "2",
    );
    const [question, shown] = chat.path();
    expect(question!.children.length).toBe(2);
    expect(shown!.reply!.answer.text).toBe("a");
    expect(shown!.reply!.thought.phases!.segments[0]!.phase).toBe("turn");
    expect(shown!.reply!.answer.trace!.at(0)!.alternatives[0]!.token).toBe("b");
  });
});

describe("words", () => {
  it("use the same variables in both languages", () => {
    const variables = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((m) => m[0]).sort();
    for (const key of Object.keys(en) as (keyof typeof en)[]) expect(variables(zh[key]), key).toEqual(variables(en[key]));
  });
});
