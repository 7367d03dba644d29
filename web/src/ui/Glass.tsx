// The glass box: how the selected answer came about.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { applyTemplate, detokenize } from "../core/api";
import { conversation, focused, glassOpen } from "../core/chat";
import { type Turn, running, wireMessages } from "../core/conversation";
import { wordDiff } from "../core/diff";
import { number, seconds, t, type Word } from "../core/i18n";
import { linkAnswer, mismatch } from "../core/links";
import { set, settings } from "../core/settings";
import { doubtLevel, type Token } from "../core/trace";
import { Waterfall } from "./Answer";
import { Icon } from "./icons";
import { IconButton } from "./parts";
import { type Part, showThoughtAt } from "./Text";
import { Alternatives, visible } from "./TokenCard";

function Numbers({ turn }: { turn: Turn }) {
  const { usage, timings } = turn.reply!;
  const rows: [string, string][] = [[t("model"), turn.model]];
  if (usage) {
    const thought = usage.completion_tokens_details?.reasoning_tokens ?? 0;
    rows.push([t("prompt"), t("tokens", { n: number(usage.prompt_tokens) })]);
    if (thought) rows.push([t("think"), t("tokens", { n: number(thought) })]);
    rows.push([t("answer"), t("tokens", { n: number(usage.completion_tokens - thought) })]);
  }
  if (timings?.prompt_ms && timings.prompt_n) rows.push([`${t("prompt")}, ${t("computed")}`, t("rate", { n: number((timings.prompt_n / timings.prompt_ms) * 1000) })]);
  if (timings?.predicted_per_second) rows.push([`${t("think")}, ${t("answer")}`, t("rate", { n: number(timings.predicted_per_second, 1) })]);
  return (
    <section>
      <h3>{t("numbers")}</h3>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Waterfall reply={turn.reply!} />
    </section>
  );
}

function Doubt({ turn }: { turn: Turn }) {
  const reply = turn.reply!;
  const open = useRef(signal<Token | null>(null)).current;
  const tokens = useMemo(() => {
    const of = (part: Part) => (reply[part].trace?.doubtful(12) ?? []).map((token) => ({ part, token }));
    return [...of("thought"), ...of("answer")].sort((a, b) => b.token.entropy - a.token.entropy).slice(0, 12);
  }, [reply, reply.tick.value]);
  const traces = [reply.thought.trace, reply.answer.trace].filter((x) => x !== null);
  const count = traces.reduce((n, trace) => n + trace.tokens.length, 0);
  const mean = count ? traces.reduce((sum, trace) => sum + trace.meanEntropy * trace.tokens.length, 0) / count : 0;
  if (!count) return <Plain title={t("doubt")} text={reply.traceNote ? t("traceCut") : t("noTrace")} />;
  return (
    <section>
      <h3>{t("doubt")}</h3>
      <label class="check">
        <input type="checkbox" checked={settings.value.shading} onChange={(event) => set("shading", event.currentTarget.checked)} /> {t("shade")}
      </label>
      <p class="note">{t("doubtMean", { n: number(mean, 2) })}</p>
      {!tokens.length && <p class="note">{t("doubtNone")}</p>}
      <ul class="doubts">
        {tokens.map(({ part, token }) => (
          <li key={`${part}${token.start}`}>
            <button type="button" class="doubt" aria-expanded={open.value === token} onClick={() => (open.value = open.value === token ? null : token)}>
              <span class="context">
                {reply[part].text.slice(Math.max(0, token.start - 24), token.start)}
                <mark class={`doubt${doubtLevel(token.entropy)}`}>{reply[part].text.slice(token.start, token.end) || visible(token.text)}</mark>
                {reply[part].text.slice(token.end, token.end + 18)}
              </span>
              <span class="figure">{number(token.entropy, 1)} bit</span>
            </button>
            {open.value === token && <Alternatives turn={turn} part={part} token={token} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

const Plain = ({ title, text }: { title: string; text: string }) => (
  <section>
    <h3>{title}</h3>
    <p class="note">{text}</p>
  </section>
);

function Links({ turn }: { turn: Turn }) {
  const { answer, thought } = turn.reply!;
  const links = useMemo(() => linkAnswer(answer.text, thought.text), [answer.text, thought.text]);
  const odd = useMemo(() => mismatch(answer.text, thought.text), [answer.text, thought.text]);
  if (thought.empty) return null;
  return (
    <section>
      <h3>{t("links")}</h3>
      {odd !== null && (
        <p class="flag">
          <Icon name="warn" /> {t("mismatch", { n: odd })}
        </p>
      )}
      {!links.length && <p class="note">{t("linksNone")}</p>}
      <ul class="chips">
        {links.slice(0, 40).map((link) => (
          <li key={link.start}>
            <button type="button" class="pill" onClick={() => showThoughtAt(turn, link.thought)}>
              {link.text}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Phases({ turn }: { turn: Turn }) {
  const reply = turn.reply!;
  const segments = reply.thought.phases!.segments.filter((s) => s.phase !== "think");
  if (!segments.length) return null;
  return (
    <section>
      <h3>{t("phases")}</h3>
      <ol class="course">
        {segments.slice(0, 60).map((s) => (
          <li key={s.start}>
            <button type="button" onClick={() => showThoughtAt(turn, s.start)}>
              <span class={`swatch phase-${s.phase}`} />
              <span class="phase-name">{t(`phase_${s.phase}` as Word)}</span>
              <span class="context">{reply.thought.text.slice(s.start, s.start + 90).trim()}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

interface Prompt {
  cached: string;
  rest: string;
  note: string;
}

function RawPrompt({ turn }: { turn: Turn }) {
  const prompt = useRef(signal<Prompt | null>(null)).current;
  const load = async () => {
    const messages = wireMessages(conversation.value.path(turn.parent), settings.value.system);
    try {
      const { prompt: text, tokens } = await applyTemplate(turn.model, messages, !turn.reply!.thought.empty);
      const hits = turn.reply!.usage?.prompt_cache_hit_tokens ?? 0;
      const cached = hits && tokens ? await detokenize(turn.model, tokens.slice(0, hits)) : "";
      const fits = text.startsWith(cached);
      prompt.value = { cached: fits ? cached : "", rest: fits ? text.slice(cached.length) : text, note: tokens ? t("tokens", { n: number(tokens.length) }) : "" };
    } catch (error) {
      prompt.value = { cached: "", rest: "", note: (error as Error).message };
    }
  };
  return (
    <section>
      <h3>{t("rawPrompt")}</h3>
      {!prompt.value && (
        <button type="button" class="pill" onClick={() => void load()}>
          {t("showPrompt")}
        </button>
      )}
      {prompt.value && (
        <>
          <p class="note">{prompt.value.note}</p>
          <pre class="raw" tabIndex={0}>
            {prompt.value.cached && (
              <span class="cached" title={t("fromCache")}>
                {prompt.value.cached}
              </span>
            )}
            <span title={t("computed")}>{prompt.value.rest}</span>
          </pre>
          {prompt.value.cached && (
            <p class="note">
              <span class="swatch cached" /> {t("fromCache")}
            </p>
          )}
        </>
      )}
    </section>
  );
}

function Compare({ turn }: { turn: Turn }) {
  const against = useRef(signal<Turn | null>(null)).current;
  const all = conversation.value.siblings(turn);
  const others = all.filter((s) => s !== turn && s.reply && !running(s.reply.status.value));
  const other = against.value;
  const pieces = useMemo(() => (other ? wordDiff(turn.reply!.answer.text, other.reply!.answer.text) : null), [turn, other]);
  if (!others.length) return null;
  return (
    <section>
      <ul class="chips">
        {others.map((s) => (
          <li key={s.key}>
            <button type="button" class="pill" aria-pressed={s === other} onClick={() => (against.value = s === other ? null : s)}>
              {t("compare", { n: all.indexOf(s) + 1 })}
            </button>
          </li>
        ))}
      </ul>
      {other && !pieces && <p class="note">{t("tooDifferent")}</p>}
      {other && pieces && (
        <div class="diff" tabIndex={0} role="group" aria-label={t("compare", { n: all.indexOf(other) + 1 })}>
          {pieces.map((p, i) => (p.kind === "same" ? p.text : p.kind === "added" ? <ins key={i}>{p.text}</ins> : <del key={i}>{p.text}</del>))}
        </div>
      )}
    </section>
  );
}

export function Glass() {
  const turn = focused.value;
  const box = useRef<HTMLElement>(null);
  useEffect(() => box.current?.scrollTo(0, 0), [turn]);
  turn?.reply?.tick.value;
  return (
    <aside class="glass" ref={box} aria-label={t("glass")}>
      <header class="glass-head">
        <h2>
          <Icon name="glass" /> {t("glass")}
        </h2>
        <IconButton icon="close" label={t("close")} keys="g" onClick={() => (glassOpen.value = false)} />
      </header>
      {!turn && <p class="note">{t("glassEmpty")}</p>}
      {turn && running(turn.reply!.status.value) && (
        <p class="note">
          {t("thinking")} · {seconds(turn.reply!.thinkSeconds)}
        </p>
      )}
      {turn && !running(turn.reply!.status.value) && (
        <div key={turn.key}>
          <Numbers turn={turn} />
          <Doubt turn={turn} />
          <Links turn={turn} />
          <Phases turn={turn} />
          <Compare turn={turn} />
          <RawPrompt turn={turn} />
        </div>
      )}
    </aside>
  );
}
