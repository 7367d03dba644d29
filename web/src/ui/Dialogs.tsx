// Settings, the list of keys, the command palette, and the question for the server's key.
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { postKey } from "../core/api";
import { chooseModel, glassOpen, keyNeeded, models, newChat, path, refreshModels } from "../core/chat";
import { listed, markdownOf, refreshList } from "../core/history";
import { t, type Word } from "../core/i18n";
import { set, settings, type Settings } from "../core/settings";
import { dialog, Dialog, download } from "./parts";
import { openConversation } from "./Rail";

function Choice<K extends keyof Settings>({ name, label, options }: { name: K; label: string; options: [Settings[K], string][] }) {
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div class="segments">
        {options.map(([value, text]) => (
          <label key={String(value)}>
            <input type="radio" name={name} checked={settings.value[name] === value} onChange={() => set(name, value)} />
            <span>{text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

type NumberName = "temperature" | "topP" | "maxTokens" | "budget" | "seed";

function NumberField({ name, label, min, max, step }: { name: NumberName; label: string; min: number; max?: number; step: number }) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="number"
        min={min}
        max={max}
        step={step}
        placeholder={t("modelDefault")}
        value={settings.value[name] ?? ""}
        onChange={(event) => {
          const input = event.currentTarget;
          if (input.validity.valid) set(name, input.value === "" ? null : input.valueAsNumber);
          else input.reportValidity();
        }}
      />
    </label>
  );
}

function SettingsDialog() {
  return (
    <Dialog title={t("settings")} onClose={() => (dialog.value = "")}>
      <Choice name="thought" label={t("thoughtView")} options={[["quiet", t("quiet")], ["line", t("line")], ["open", t("open")]]} />
      <Choice name="theme" label={t("theme")} options={[["auto", t("auto")], ["light", t("light")], ["dark", t("dark")]]} />
      <Choice name="language" label={t("language")} options={[["auto", t("auto")], ["en", "English"], ["zh", "中文"]]} />
      <label class="field tall">
        <span>{t("system")}</span>
        <textarea rows={3} value={settings.value.system} onChange={(event) => set("system", event.currentTarget.value)} />
      </label>
      <div class="fields">
        <NumberField name="budget" label={t("thinkBudget")} min={1} step={1} />
        <NumberField name="maxTokens" label={t("maxTokens")} min={1} step={1} />
        <NumberField name="temperature" label={t("temperature")} min={0} max={2} step={0.05} />
        <NumberField name="topP" label={t("topP")} min={0} max={1} step={0.01} />
        <NumberField name="seed" label={t("seed")} min={0} step={1} />
      </div>
    </Dialog>
  );
}

const KEYS: [string, Word][] = [
  ["Ctrl K", "k_palette"],
  ["/", "k_focus"],
  ["Shift Enter", "k_newline"],
  ["Esc", "k_esc"],
  ["Alt ↑", "k_edit"],
  ["[ ]", "k_branch"],
  ["t", "k_thought"],
  ["g", "k_glass"],
  ["?", "k_help"],
];

const HelpDialog = () => (
  <Dialog title={t("help")} onClose={() => (dialog.value = "")}>
    <dl class="keys">
      {KEYS.map(([key, word]) => (
        <div key={key}>
          <dt>
            {key.split(" ").map((k) => (
              <kbd key={k}>{k}</kbd>
            ))}
          </dt>
          <dd>{t(word)}</dd>
        </div>
      ))}
    </dl>
  </Dialog>
);

interface Command {
  name: string;
  run: () => void;
}

function commands(): Command[] {
  const all: Command[] = [
    { name: t("newChat"), run: newChat },
    { name: t("glass"), run: () => (glassOpen.value = !glassOpen.value) },
    { name: t("shade"), run: () => set("shading", !settings.value.shading) },
    { name: t("rail"), run: () => set("rail", !settings.value.rail) },
    { name: t("settings"), run: () => (dialog.value = "settings") },
    { name: t("help"), run: () => (dialog.value = "help") },
    { name: `${t("theme")}: ${t("dark")}`, run: () => set("theme", "dark") },
    { name: `${t("theme")}: ${t("light")}`, run: () => set("theme", "light") },
  ];
  if (path.value.length) all.push({ name: t("exportMarkdown"), run: () => download("conversation.md", markdownOf(path.value), "text/markdown") });
  for (const m of models.value) all.push({ name: `${t("model")}: ${m.id}`, run: () => chooseModel(m.id) });
  for (const c of listed.value) all.push({ name: c.title, run: () => void openConversation(c.id) });
  return all;
}

function Palette() {
  const query = useRef(signal("")).current;
  const at = useRef(signal(0)).current;
  const needle = query.value.toLowerCase();
  const found = commands()
    .filter((c) => c.name.toLowerCase().includes(needle))
    .slice(0, 30);
  const choose = (command: Command | undefined) => {
    if (!command) return;
    dialog.value = "";
    command.run();
  };
  const key = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step) event.preventDefault(), (at.value = Math.max(0, Math.min(found.length - 1, at.value + step)));
    if (event.key === "Enter") event.preventDefault(), choose(found[at.value]);
  };
  return (
    <Dialog title={t("palette")} class="palette" onClose={() => dialog.value === "palette" && (dialog.value = "")}>
      <input
        autofocus
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found.length ? `command-${at.value}` : undefined}
        aria-label={t("palette")}
        value={query.value}
        onInput={(event) => ((query.value = event.currentTarget.value), (at.value = 0))}
        onKeyDown={key}
      />
      <ul id="palette-list" role="listbox" aria-label={t("palette")}>
        {found.map((command, i) => (
          <li id={`command-${i}`} key={`${i}${command.name}`} role="option" aria-selected={i === at.value} onClick={() => choose(command)} onMouseMove={() => (at.value = i)}>
            {command.name}
          </li>
        ))}
      </ul>
      {!found.length && <p class="note">{t("nothingMatches")}</p>}
    </Dialog>
  );
}

function KeyDialog() {
  const wrong = useRef(signal("")).current;
  const enter = async (event: Event) => {
    event.preventDefault();
    const key = new FormData(event.currentTarget as HTMLFormElement).get("key") as string;
    try {
      await postKey(key.trim());
      await refreshModels();
      await refreshList();
    } catch {
      wrong.value = t("keyWrong");
    }
  };
  return (
    <Dialog title={t("keyNeeded")} onClose={() => (keyNeeded.value = false)}>
      <form class="key" onSubmit={(event) => void enter(event)}>
        <label class="field tall">
          <span>{t("keyHint")}</span>
          <input name="key" type="password" autocomplete="off" required />
        </label>
        {wrong.value && (
          <p class="note" role="alert">
            {wrong.value}
          </p>
        )}
        <div class="row end">
          <button type="submit" class="primary">
            {t("enter")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function Dialogs() {
  if (keyNeeded.value) return <KeyDialog />;
  if (dialog.value === "settings") return <SettingsDialog />;
  if (dialog.value === "help") return <HelpDialog />;
  return dialog.value === "palette" ? <Palette /> : null;
}
