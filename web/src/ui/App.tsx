// The whole page: rail, conversation, glass box; keys; what a screen reader is told.
import { effect, signal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask, focused, glassOpen, interrupt, keyNeeded, model, moveBranch, path, problem, refreshModels, runs } from "../core/chat";
import { conversation } from "../core/chat";
import { running } from "../core/conversation";
import { language } from "../core/settings";
import { t } from "../core/i18n";
import { set, settings } from "../core/settings";
import { Answer } from "./Answer";
import { Composer, describe } from "./Composer";
import { Icon } from "./icons";
import { clock, dialog, IconButton } from "./parts";
import { editing, Question } from "./Question";
import { Mark, narrow, Rail } from "./Rail";
import { later } from "./later";
import { isOpen, openState, pointed } from "./Text";

const Glass = later(() => import("./late").then((m) => m.Glass));
const TokenCard = later(() => import("./late").then((m) => m.TokenCard));
const Dialogs = later(() => import("./late").then((m) => m.Dialogs));

function Empty() {
  const m = model.value;
  return (
    <div class="empty">
      <Mark />
      <h1>{t("hello")}</h1>
      <p class="note">{t("local")}</p>
      <ul class="suggestions">
        {([t("suggest1"), t("suggest2"), t("suggest3")] as const).map((text) => (
          <li key={text}>
            <button type="button" onClick={() => void ask(text, [], null)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
      {m && (
        <p class="note model-note">
          {m.id} · {describe(m)}
        </p>
      )}
    </div>
  );
}

/** Keeps the end in sight while an answer grows, unless one scrolled away from it. */
function Conversation() {
  const box = useRef<HTMLElement>(null);
  const follow = useRef(true);
  const scrolled = () => {
    const element = box.current!;
    follow.current = element.scrollHeight - element.scrollTop - element.clientHeight < 80;
  };
  useSignalEffect(() => {
    for (const turn of path.value) turn.reply?.tick.value;
    if (follow.current) requestAnimationFrame(() => box.current && (box.current.scrollTop = box.current.scrollHeight));
  });
  const turns = path.value;
  return (
    <main ref={box} onScroll={scrolled} id="conversation" tabIndex={-1} aria-label={t("title")}>
      {!turns.length && <Empty />}
      {turns.length > 0 && <h1 class="hidden">{turns[0]!.content.slice(0, 80)}</h1>}
      <div class="column">{turns.map((turn) => (turn.reply ? <Answer key={turn.key} turn={turn} /> : <Question key={turn.key} turn={turn} />))}</div>
    </main>
  );
}

const spoken = signal("");

/** A screen reader hears whole sentences of the answer, and of the thought only that it goes on. */
function speak(): void {
  let heard = 0;
  let turn = runs.peek().at(-1);
  effect(() => {
    const now = runs.value.at(-1);
    if (now && now !== turn) (turn = now), (heard = 0);
    const reply = turn?.reply;
    if (!reply) return;
    reply.tick.value;
    if (reply.status.value === "thinking") {
      const ten = Math.floor(reply.thinkSeconds / 10) * 10;
      if (ten) spoken.value = t("announceThinking", { n: ten });
      return;
    }
    const fresh = reply.answer.text.slice(heard);
    const ends = [...fresh.matchAll(/[.!?](?=\s)|[。！？\n]/g)].at(-1);
    const to = running(reply.status.value) ? (ends ? ends.index + 1 : 0) : fresh.length;
    if (to) (spoken.value = fresh.slice(0, to)), (heard += to);
  });
}

const typing = (target: EventTarget | null) => target instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable);

function branch(step: number): void {
  const turn = [...path.value].reverse().find((x) => conversation.value.siblings(x).length > 1);
  if (turn) moveBranch(turn, step);
}

const PLAIN_KEYS: Record<string, () => void> = {
  "/": () => document.getElementById("draft")?.focus(),
  "?": () => (dialog.value = "help"),
  "[": () => branch(-1),
  "]": () => branch(1),
  g: () => (glassOpen.value = !glassOpen.value),
  t: () => {
    const turn = focused.value;
    if (turn) openState(turn).value = !isOpen(turn);
  },
};

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") return event.preventDefault(), void (dialog.value = "palette");
  if (dialog.value) return;
  if (event.key === "Escape") {
    if (pointed.value) pointed.value = null;
    else if (!interrupt() && glassOpen.value) glassOpen.value = false;
    return;
  }
  if (event.altKey && event.key === "ArrowUp") {
    const last = path.value.filter((turn) => !turn.reply).at(-1);
    if (last) event.preventDefault(), (editing.value = last);
    return;
  }
  const action = PLAIN_KEYS[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  event.preventDefault();
  action();
}

function useWindow(): void {
  useEffect(() => {
    addEventListener("keydown", onKey);
    const media = matchMedia("(max-width: 800px)");
    const resized = () => (narrow.value = media.matches);
    media.addEventListener("change", resized);
    const timer = setInterval(() => runs.value.length && clock.value++, 100);
    const look = setInterval(() => (problem.value || model.value?.status === "loading") && void refreshModels(), 3000);
    speak();
    return () => (removeEventListener("keydown", onKey), media.removeEventListener("change", resized), clearInterval(timer), clearInterval(look));
  }, []);
}

export function App() {
  useWindow();
  language();
  const { rail } = settings.value;
  const shut = () => (narrow.value && rail ? set("rail", false) : (glassOpen.value = false));
  return (
    <div class={`app ${rail ? "with-rail" : ""} ${glassOpen.value ? "with-glass" : ""}`}>
      <a class="skip" href="#draft">
        {t("skip")}
      </a>
      {rail && <Rail />}
      <div class="centre">
        <header class="top">
          {!rail && <IconButton icon="menu" label={t("rail")} expanded={false} onClick={() => set("rail", true)} />}
          <span class="gap" />
          <IconButton icon="gear" label={t("settings")} onClick={() => (dialog.value = "settings")} />
          <IconButton icon="glass" label={t("glass")} keys="g" pressed={glassOpen.value} onClick={() => (glassOpen.value = !glassOpen.value)} />
        </header>
        {problem.value && (
          <div class="trouble top-trouble" role="alert">
            <Icon name="warn" />
            <p>{problem.value}</p>
            <button type="button" class="pill" onClick={() => void refreshModels()}>
              {t("again")}
            </button>
          </div>
        )}
        <Conversation />
        <Composer />
      </div>
      {glassOpen.value && <Glass />}
      {(rail || glassOpen.value) && <div class="backdrop" onClick={shut} />}
      {pointed.value && <TokenCard />}
      {(dialog.value || keyNeeded.value) && <Dialogs />}
      <div class="hidden" aria-live="polite">
        {spoken.value}
      </div>
    </div>
  );
}
