// What the model would have said instead of the word one points at; a click continues from another word.
import { useEffect } from "preact/hooks";
import { continueFrom } from "../core/chat";
import type { Turn } from "../core/conversation";
import { number, t } from "../core/i18n";
import type { Token } from "../core/trace";
import { type Part, pointed, showThoughtAt } from "./Text";

export const visible = (text: string) => text.replaceAll("\n", "↵").replaceAll(" ", "·").replaceAll("\t", "→") || "∅";

function forkAt(turn: Turn, part: Part, token: Token, instead: string): void {
  const { thought, answer } = turn.reply!;
  pointed.value = null;
  if (part === "thought") continueFrom(turn, { thought: thought.text.slice(0, token.start) + instead });
  else continueFrom(turn, { thought: thought.text || undefined, answer: answer.text.slice(0, token.start) + instead });
}

interface AlternativesProps {
  turn: Turn;
  part: Part;
  token: Token;
}

export function Alternatives({ turn, part, token }: AlternativesProps) {
  const rows = [...token.alternatives];
  if (!rows.some((a) => a.token === token.text)) rows.unshift({ token: token.text, logprob: token.logprob });
  return (
    <ul class="alternatives">
      {rows.map((a) => {
        const percent = Math.exp(a.logprob) * 100;
        const chosen = a.token === token.text;
        return (
          <li key={a.token}>
            <button
              type="button"
              disabled={chosen}
              title={chosen ? t("chosen") : t("fork", { token: visible(a.token) })}
              onClick={() => forkAt(turn, part, token, a.token)}
            >
              <code>{visible(a.token)}</code>
              <meter min={0} max={100} value={percent} aria-hidden="true" />
              <span class="percent">{percent < 0.1 ? "<0.1" : number(percent, 1)} %</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

export function TokenCard() {
  const at = pointed.value;
  useEffect(() => {
    if (!at?.pinned) return;
    const away = (event: MouseEvent) => {
      const target = event.target as Element;
      if (!target.closest(".token-card") && !target.closest(".prose")) pointed.value = null;
    };
    addEventListener("mousedown", away);
    return () => removeEventListener("mousedown", away);
  }, [at]);
  if (!at) return null;
  const left = Math.max(8, Math.min(at.x - 20, innerWidth - 280));
  const below = at.y < innerHeight - 260;
  const place = below ? { left: `${left}px`, top: `${at.y + 18}px` } : { left: `${left}px`, bottom: `${innerHeight - at.y + 14}px` };
  return (
    <div class={at.pinned ? "token-card pinned" : "token-card"} role="dialog" aria-label={t("doubt")} style={place}>
      {at.token && <Alternatives turn={at.turn} part={at.part} token={at.token} />}
      {at.token && <p class="hint">{t("instead")}</p>}
      {at.link && (
        <button type="button" class="quote" onClick={() => (showThoughtAt(at.turn, at.link!.thought), (pointed.value = null))}>
          …{at.turn.reply!.thought.text.slice(Math.max(0, at.link.thought - 60), at.link.thought + 60)}…
        </button>
      )}
    </div>
  );
}

