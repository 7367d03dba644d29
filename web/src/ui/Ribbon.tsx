// One line over an answer: what the thought is doing, how long, how fast; its course as a mini-map; the thought below.
import { useEffect, useRef } from "preact/hooks";
import { signal, useSignalEffect } from "@preact/signals";
import { continueFrom, models, steer } from "../core/chat";
import { type Reply, type Turn, running } from "../core/conversation";
import { number, seconds, t, type Word } from "../core/i18n";
import { PHASES } from "../core/phases";
import { settings } from "../core/settings";
import { Icon } from "./icons";
import { clock, CopyButton, IconButton } from "./parts";
import { isOpen, openState, showThoughtAt, Text } from "./Text";

function label(turn: Turn, reply: Reply): string {
  const status = reply.status.value;
  if (status === "waiting") {
    const loading = models.value.find((m) => m.id === turn.model)?.status !== "loaded";
    return `${loading ? t("loadingModel") : t("waiting")} · ${seconds((performance.now() - reply.begun) / 1000)}`;
  }
  if (status === "thinking") return `${t("thinking")} · ${seconds(reply.thinkSeconds)}`;
  const time = seconds(reply.thinkSeconds);
  if (!reply.thinkSeconds) return t("thoughtGiven");
  return status === "stopped" && reply.answer.empty ? t("thoughtStopped", { time }) : t("thought", { time });
}

function figures(reply: Reply): string[] {
  const count = reply.usage?.completion_tokens_details?.reasoning_tokens ?? reply.thoughtTokens;
  const time = reply.thinkSeconds;
  const out: string[] = [];
  const budget = settings.value.budget;
  if (reply.status.value === "thinking" && budget) out.push(t("budget", { n: number(count), max: number(budget) }));
  else if (count) out.push(t("tokens", { n: number(count) }));
  if (count && time > 0.5) out.push(t("rate", { n: number(count / time, count / time < 10 ? 1 : 0) }));
  return out;
}

export function courseOf(reply: Reply): string {
  const share = new Map<string, number>();
  let all = 0;
  for (const { start, end, phase } of reply.thought.phases!.segments) {
    share.set(phase, (share.get(phase) ?? 0) + end - start);
    all += end - start;
  }
  return PHASES.filter((p) => share.has(p))
    .map((p) => `${t(`phase_${p}` as Word)} ${number((share.get(p)! / all) * 100)} %`)
    .join(", ");
}

function MiniMap({ turn, reply }: { turn: Turn; reply: Reply }) {
  reply.tick.value;
  const segments = reply.thought.phases!.buckets(120);
  const end = segments.at(-1)?.end ?? 0;
  if (!end) return <div class="map" />;
  const jump = (event: MouseEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    showThoughtAt(turn, Math.floor(((event.clientX - box.left) / box.width) * reply.thought.text.length));
  };
  return (
    <svg class="map" viewBox={`0 0 ${end} 1`} preserveAspectRatio="none" role="img" aria-label={t("miniMap", { text: courseOf(reply) })} onClick={jump}>
      {segments.map((s) => (
        <rect key={s.start} class={`phase-${s.phase}`} x={s.start} y="0" width={s.end - s.start} height="1">
          <title>
            {t(`phase_${s.phase}` as Word)}: {reply.thought.text.slice(s.start, Math.min(s.end, s.start + 120)).trim()}
          </title>
        </rect>
      ))}
    </svg>
  );
}

const lastSentence = (text: string) =>
  text
    .slice(-300)
    .replace(/[*_`#>]/g, "")
    .split(/(?<=[.!?。！？])\s+|\n+/)
    .filter((s) => s.trim())
    .at(-1) ?? "";

function ThoughtEditor({ turn, reply, onDone }: { turn: Turn; reply: Reply; onDone: () => void }) {
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => area.current!.focus(), []);
  const go = () => (onDone(), continueFrom(turn, { thought: area.current!.value }));
  return (
    <div class="editor">
      <textarea ref={area} aria-label={t("editThought")} rows={12} defaultValue={reply.thought.text} />
      <div class="row end">
        <button type="button" class="plain" onClick={onDone}>
          {t("cancel")}
        </button>
        <button type="button" class="primary" onClick={go}>
          {t("continueFrom")}
        </button>
      </div>
    </div>
  );
}

function Thought({ turn, reply }: { turn: Turn; reply: Reply }) {
  const editing = useRef(signal(false)).current;
  const box = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  useSignalEffect(() => {
    reply.tick.value;
    const element = box.current;
    if (element && follow.current && reply.status.value === "thinking") queueMicrotask(() => (element.scrollTop = element.scrollHeight));
  });
  const scrolled = () => {
    const element = box.current!;
    follow.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
  };
  if (editing.value) return <ThoughtEditor turn={turn} reply={reply} onDone={() => (editing.value = false)} />;
  return (
    <div class="thought-frame">
      <div class="thought" ref={box} tabIndex={0} role="group" aria-label={t("think")} onScroll={scrolled}>
        <Text turn={turn} part="thought" />
      </div>
      {!running(reply.status.value) && (
        <div class="row tools">
          <IconButton icon="edit" label={t("editThought")} onClick={() => (editing.value = true)} />
          <CopyButton text={() => reply.thought.text} label={t("copyThought")} />
        </div>
      )}
    </div>
  );
}

export function Ribbon({ turn }: { turn: Turn }) {
  const reply = turn.reply!;
  const status = reply.status.value;
  reply.tick.value;
  if (running(status)) clock.value;
  const waiting = status === "waiting";
  if (reply.thought.empty && !waiting) return null;
  const open = isOpen(turn) && !reply.thought.empty;
  return (
    <div class={`ribbon ${status}`}>
      <div class="ribbon-line">
        <button
          type="button"
          class="ribbon-main"
          aria-expanded={open}
          title={`${open ? t("foldThought") : t("openThought")} (t)`}
          disabled={reply.thought.empty}
          onClick={() => (openState(turn).value = !open)}
        >
          <Icon name={open ? "down" : "right"} />
          <span class="ribbon-label">{label(turn, reply)}</span>
          {figures(reply).map((f) => (
            <span class="figure" key={f}>
              {f}
            </span>
          ))}
        </button>
        {status === "thinking" && (
          <span class="row">
            <button type="button" class="pill" title="Esc" onClick={() => steer(turn, "answer_now")}>
              {t("answerNow")}
            </button>
            <button type="button" class="pill" onClick={() => steer(turn, "think_longer")}>
              {t("thinkLonger")}
            </button>
          </span>
        )}
      </div>
      {!reply.thought.empty && <MiniMap turn={turn} reply={reply} />}
      {status === "thinking" && !open && settings.value.thought !== "quiet" && (
        <p class="one-line" dir="auto" aria-hidden="true">
          {lastSentence(reply.thought.text)}
        </p>
      )}
      {open && <Thought turn={turn} reply={reply} />}
    </div>
  );
}
