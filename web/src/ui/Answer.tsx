// One answer: ribbon, text, what went wrong, and the footer with its actions and where the time went.
import { useComputed } from "@preact/signals";
import { askAgain, continueFrom, conversation, glassOpen, moveBranch, retry, selected } from "../core/chat";
import { type Reply, type Turn, running } from "../core/conversation";
import { number, seconds, t, type Word } from "../core/i18n";
import { essence, linkAnswer } from "../core/links";
import { Icon } from "./icons";
import { CopyButton, IconButton } from "./parts";
import { Ribbon } from "./Ribbon";
import { Text } from "./Text";

export function Branches({ turn }: { turn: Turn }) {
  conversation.value.shape.value;
  const siblings = conversation.value.siblings(turn);
  if (siblings.length < 2) return null;
  const at = siblings.indexOf(turn);
  return (
    <span class="branches">
      <IconButton icon="left" label={t("previousBranch")} keys="[" disabled={at === 0} onClick={() => moveBranch(turn, -1)} />
      <span aria-label={t("branch", { n: at + 1, all: siblings.length })} role="img">
        {at + 1}/{siblings.length}
      </span>
      <IconButton icon="right" label={t("nextBranch")} keys="]" disabled={at === siblings.length - 1} onClick={() => moveBranch(turn, 1)} />
    </span>
  );
}

const STEPS = ["queue", "load", "prompt", "think", "answer"] as const;

export function Waterfall({ reply }: { reply: Reply }) {
  const times = reply.timings;
  if (!times) return null;
  const steps = STEPS.map((name) => ({ name, ms: times[`${name}_ms`] ?? 0 })).filter((s) => s.ms >= 50);
  const all = steps.reduce((sum, s) => sum + s.ms, 0);
  if (!all) return null;
  const cached = times.cache_n ?? reply.usage?.prompt_cache_hit_tokens ?? 0;
  const prompt = reply.usage?.prompt_tokens ?? cached + (times.prompt_n ?? 0);
  const text = steps.map((s) => `${t(s.name as Word)} ${seconds(s.ms / 1000)}`).join(" · ");
  const extra = [
    times.predicted_per_second ? t("rate", { n: number(times.predicted_per_second, 1) }) : "",
    cached ? t("cached", { n: number(cached), all: number(prompt) }) : "",
  ].filter(Boolean);
  return (
    <div class="waterfall">
      <div class="bar" role="img" aria-label={t("waterfall", { text })}>
        {steps.map((s) => (
          <span key={s.name} class={`step-${s.name} ${s.name === "prompt" && cached ? "hatched" : ""}`} style={{ flexGrow: s.ms }} />
        ))}
      </div>
      <span class="waterfall-text">{[text, ...extra].join(" · ")}</span>
    </div>
  );
}

function Agreement({ turn }: { turn: Turn }) {
  const done = conversation.value.siblings(turn).filter((s) => s.reply && (s.reply.status.value, s.reply.tick.value, s.reply.status.value === "done"));
  if (done.length < 3) return null;
  const groups = new Map<string, Turn[]>();
  for (const s of done) {
    const key = essence(s.reply!.answer.text);
    groups.set(key, [...(groups.get(key) ?? []), s]);
  }
  const sorted = [...groups].sort((a, b) => b[1].length - a[1].length);
  const text = t("agreement", { n: sorted[0]![1].length, all: done.length });
  return (
    <div class="agreement">
      <div class="bar" role="img" aria-label={text}>
        {sorted.map(([key, turns], i) => (
          <span key={key} class={i === 0 ? "most" : "other"} style={{ flexGrow: turns.length }} title={`${key}: ${turns.length}`} />
        ))}
      </div>
      <span>
        {text}
        {sorted[0]![0].length < 30 && sorted[0]![1].length > 1 ? `: ${sorted[0]![0]}` : ""}
      </span>
    </div>
  );
}

function Trouble({ turn, reply }: { turn: Turn; reply: Reply }) {
  const status = reply.status.value;
  if (status === "failed")
    return (
      <div class="trouble" role="alert">
        <Icon name="warn" />
        <p>{reply.error}</p>
        <button type="button" class="pill" onClick={() => (conversation.value.remove(turn), retry(turn))}>
          {t("again")}
        </button>
      </div>
    );
  if (running(status)) return null;
  const onward = () => continueFrom(turn, { thought: reply.thought.text || undefined, answer: reply.answer.text });
  const notes = [...reply.warnings];
  if (status === "done" && reply.answer.empty) notes.push(t("emptyAnswer"));
  return (
    <>
      {notes.map((note) => (
        <p class="note" key={note}>
          {note}
        </p>
      ))}
      {(reply.finish === "length" || status === "stopped") && (
        <p class="note">
          {status === "stopped" ? t("stopped") : t("cutShort")}{" "}
          <button type="button" class="pill" onClick={onward}>
            {t("continueAnswer")}
          </button>
        </p>
      )}
    </>
  );
}

export function Answer({ turn }: { turn: Turn }) {
  const reply = turn.reply!;
  const live = running(reply.status.value);
  const links = useComputed(() => (running(reply.status.value) ? [] : linkAnswer(reply.answer.text, reply.thought.text)));
  const look = () => {
    glassOpen.value = !(glassOpen.value && selected.value === turn);
    selected.value = turn;
  };
  return (
    <article class="answer" aria-label={t("reply")} aria-busy={live}>
      <Ribbon turn={turn} />
      <div class={live ? "answer-text live" : "answer-text"}>
        <Text turn={turn} part="answer" links={links.value} />
      </div>
      <Trouble turn={turn} reply={reply} />
      {!live && reply.status.value !== "failed" && (
        <footer class="answer-foot">
          <Waterfall reply={reply} />
          <div class="row tools">
            <Branches turn={turn} />
            <CopyButton text={() => reply.answer.text} label={t("copy")} />
            <IconButton icon="retry" label={t("retry")} onClick={() => retry(turn)} />
            <IconButton icon="many" label={t("askAgain")} onClick={() => askAgain(turn, 3)} />
            <IconButton icon="glass" label={t("glass")} keys="g" pressed={glassOpen.value && selected.value === turn} onClick={look} />
          </div>
          <Agreement turn={turn} />
        </footer>
      )}
      {(live || reply.status.value === "failed") && <Branches turn={turn} />}
    </article>
  );
}
