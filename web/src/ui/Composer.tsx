// Where one writes: text, files, whether to think, with which model.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask, attachments, chooseModel, draft, model, models, path, runs, stop } from "../core/chat";
import { bytes, number, t } from "../core/i18n";
import { set, settings } from "../core/settings";
import type { Model } from "../core/types";
import { Icon } from "./icons";
import { IconButton } from "./parts";

const MOST_FILE = 1_000_000; // bytes
const trouble = signal("");

async function attach(files: Iterable<File>): Promise<void> {
  trouble.value = "";
  for (const file of files) {
    if (file.size > MOST_FILE) {
      trouble.value = t("attachTooLarge", { name: file.name, max: bytes(MOST_FILE) });
      continue;
    }
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      if (text.includes("\0")) throw new TypeError();
      attachments.value = [...attachments.value, { name: file.name, text }];
    } catch {
      trouble.value = t("attachBinary", { name: file.name });
    }
  }
}

export function describe(m: Model): string {
  const status = m.status ? t(m.status) : "";
  return [
    status,
    m.memory_bytes ? t("needs", { memory: bytes(m.memory_bytes) }) : "",
    m.expected_tokens_per_second ? t("about", { n: number(m.expected_tokens_per_second) }) : "",
    m.context_window ? t("context", { n: number(m.context_window) }) : "",
    m.thinks ? t("thinks") : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

function ModelPicker() {
  const open = useRef(signal(false)).current;
  const box = useRef<HTMLDivElement>(null);
  const chosen = model.value;
  useEffect(() => {
    const away = (event: Event) => !box.current?.contains(event.target as Node) && (open.value = false);
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, []);
  const key = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open.value) return;
    event.stopPropagation();
    open.value = false;
    box.current!.querySelector("button")!.focus();
  };
  return (
    <div class="picker" ref={box} onKeyDown={key}>
      <button type="button" class="pill model" aria-expanded={open.value} aria-label={`${t("model")}: ${chosen?.id ?? t("noModels")}`} onClick={() => (open.value = !open.value)}>
        <span class={`dot ${chosen?.status ?? ""}`} />
        <span class="model-name">{chosen?.id ?? t("noModels")}</span>
        <Icon name="down" />
      </button>
      {open.value && (
        <div class="menu up" role="group" aria-label={t("model")}>
          {models.value.map((m) => (
            <button type="button" key={m.id} aria-pressed={m === chosen} onClick={() => (chooseModel(m.id), (open.value = false))}>
              <span class={`dot ${m.status ?? ""}`} />
              <span>
                <strong>{m.id}</strong>
                <small>{describe(m)}</small>
              </span>
            </button>
          ))}
          {!models.value.length && <p class="note">{t("noModels")}</p>}
        </div>
      )}
    </div>
  );
}

export function Composer() {
  const area = useRef<HTMLTextAreaElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const live = runs.value.at(-1);
  const thinks = model.value?.thinks !== false;
  useEffect(() => {
    const element = area.current!;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, innerHeight * 0.4)}px`;
  }, [draft.value]);
  const send = () => {
    const text = draft.value.trim();
    if ((!text && !attachments.value.length) || live) return;
    void ask(text, attachments.value, path.value.at(-1) ?? null);
    draft.value = "";
    attachments.value = [];
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !event.isComposing) event.preventDefault(), send();
  };
  const paste = (event: ClipboardEvent) => {
    if (event.clipboardData?.files.length) event.preventDefault(), void attach(event.clipboardData.files);
  };
  return (
    <form
      class="composer"
      aria-label={t("ask")}
      onSubmit={(event) => (event.preventDefault(), send())}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => (event.preventDefault(), void attach(event.dataTransfer?.files ?? []))}
    >
      {trouble.value && (
        <p class="note" role="alert">
          {trouble.value}
        </p>
      )}
      {attachments.value.length > 0 && (
        <ul class="files">
          {attachments.value.map((f) => (
            <li key={f.name}>
              <Icon name="file" /> {f.name}
              <IconButton icon="close" label={t("removeFile", { name: f.name })} onClick={() => (attachments.value = attachments.value.filter((o) => o !== f))} />
            </li>
          ))}
        </ul>
      )}
      <textarea
        ref={area}
        id="draft"
        rows={1}
        dir="auto"
        placeholder={t("ask")}
        aria-label={t("ask")}
        value={draft.value}
        onInput={(event) => (draft.value = event.currentTarget.value)}
        onKeyDown={key}
        onPaste={paste}
      />
      <div class="composer-row">
        <input ref={file} type="file" multiple hidden onChange={(event) => (void attach(event.currentTarget.files ?? []), (event.currentTarget.value = ""))} />
        <IconButton icon="clip" label={t("attach")} onClick={() => file.current!.click()} />
        {thinks && (
          <button type="button" class="pill toggle" aria-pressed={settings.value.think} title={t("thinkHint")} onClick={() => set("think", !settings.value.think)}>
            <Icon name="spark" /> {t("thinkSwitch")}
          </button>
        )}
        <ModelPicker />
        <span class="gap" />
        {live ? (
          <IconButton icon="stop" label={t("stop")} keys="Esc" class="send" onClick={() => stop(live)} />
        ) : (
          <button type="submit" class="icon-button send" aria-label={t("send")} title={t("send")} disabled={!draft.value.trim() && !attachments.value.length}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
