// One question; it can be edited, which asks it anew beside the old one.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask } from "../core/chat";
import type { Turn } from "../core/conversation";
import { t } from "../core/i18n";
import { Branches } from "./Answer";
import { Icon } from "./icons";
import { CopyButton, IconButton } from "./parts";

export const editing = signal<Turn | null>(null);

function Editor({ turn }: { turn: Turn }) {
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const element = area.current!;
    element.focus();
    element.setSelectionRange(element.value.length, element.value.length);
  }, []);
  const send = () => {
    const text = area.current!.value.trim();
    if (!text) return;
    editing.value = null;
    void ask(text, turn.attachments, turn.parent);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), send();
    if (event.key === "Escape") event.stopPropagation(), (editing.value = null);
  };
  return (
    <div class="editor">
      <textarea ref={area} aria-label={t("edit")} rows={Math.min(12, turn.content.split("\n").length + 1)} defaultValue={turn.content} onKeyDown={key} />
      <div class="row end">
        <button type="button" class="plain" onClick={() => (editing.value = null)}>
          {t("cancel")}
        </button>
        <button type="button" class="primary" onClick={send}>
          {t("save")}
        </button>
      </div>
    </div>
  );
}

export function Question({ turn }: { turn: Turn }) {
  if (editing.value === turn) return <Editor turn={turn} />;
  return (
    <article class="question" aria-label={t("you")}>
      <div class="bubble" dir="auto">
        {turn.content}
        {turn.attachments.length > 0 && (
          <ul class="files">
            {turn.attachments.map((file) => (
              <li key={file.name}>
                <Icon name="file" /> {file.name}
              </li>
            ))}
          </ul>
        )}
      </div>
      <div class="row tools">
        <Branches turn={turn} />
        <IconButton icon="edit" label={t("edit")} keys="Alt ↑" onClick={() => (editing.value = turn)} />
        <CopyButton text={() => turn.content} label={t("copy")} />
      </div>
    </article>
  );
}
