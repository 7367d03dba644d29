// The conversations that the server keeps: search, open, rename, pin, delete, export, import.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { conversation, newChat, problem, selected } from "../core/chat";
import { importHistory } from "../core/api";
import { kept, listed, open, patch, query, refreshList, remove } from "../core/history";
import { t } from "../core/i18n";
import type { Listed } from "../core/types";
import { Icon } from "./icons";
import { dialog, IconButton } from "./parts";
import { set } from "../core/settings";

export const narrow = signal(matchMedia("(max-width: 800px)").matches);
const menu = signal<string | null>(null);
const renaming = signal<string | null>(null);

export async function openConversation(id: string): Promise<void> {
  try {
    conversation.value = await open(id);
    selected.value = null;
    if (narrow.value) set("rail", false);
  } catch (error) {
    problem.value = (error as Error).message;
  }
}

function groups(all: Listed[]): [string, Listed[]][] {
  const midnight = new Date().setHours(0, 0, 0, 0) / 1000;
  const group = (c: Listed) =>
    c.pinned ? t("pinned") : c.updated >= midnight ? t("today") : c.updated >= midnight - 86400 ? t("yesterday") : t("earlier");
  const order = [t("pinned"), t("today"), t("yesterday"), t("earlier")];
  const byName = new Map(order.map((name) => [name, [] as Listed[]]));
  for (const c of all) if (!c.archived) byName.get(group(c))!.push(c);
  return [...byName].filter(([, list]) => list.length);
}

function Rename({ item }: { item: Listed }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current!.select(), []);
  const done = () => {
    if (renaming.value !== item.id) return;
    renaming.value = null;
    const title = input.current!.value.trim();
    if (title && title !== item.title) void patch(item.id, { title });
  };
  const key = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Enter") done();
    if (event.key === "Escape") renaming.value = null;
  };
  return <input ref={input} class="rename" aria-label={t("rename")} defaultValue={item.title} onKeyDown={key} onBlur={done} />;
}

function Item({ item }: { item: Listed }) {
  const current = conversation.value.id === item.id;
  const close = (then: () => void) => () => ((menu.value = null), then());
  const erase = async () => {
    if (!confirm(t("removeSure"))) return;
    await remove(item.id);
    if (current) newChat();
  };
  if (renaming.value === item.id) return <Rename item={item} />;
  return (
    <li class={current ? "item current" : "item"}>
      <button type="button" class="item-open" aria-current={current ? "true" : undefined} onClick={() => void openConversation(item.id)}>
        <span class="item-title" dir="auto">
          {item.title}
        </span>
        {item.snippet && query.value && <small dir="auto">{item.snippet}</small>}
      </button>
      <IconButton icon="more" label={`${t("more")}: ${item.title}`} expanded={menu.value === item.id} onClick={() => (menu.value = menu.value === item.id ? null : item.id)} />
      {menu.value === item.id && (
        <div class="menu down">
          <button type="button" onClick={close(() => (renaming.value = item.id))}>
            {t("rename")}
          </button>
          <button type="button" onClick={close(() => void patch(item.id, { pinned: !item.pinned }))}>
            {item.pinned ? t("unpin") : t("pin")}
          </button>
          <button type="button" class="danger" onClick={close(() => void erase())}>
            {t("remove")}
          </button>
        </div>
      )}
    </li>
  );
}

export function Rail() {
  const file = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  useEffect(() => {
    const away = (event: Event) => !(event.target as Element).closest(".item") && (menu.value = null);
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, []);
  const search = (text: string) => {
    query.value = text;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void refreshList(), 150);
  };
  const load = (files: FileList | null) => {
    if (files?.[0]) importHistory(files[0]).then(refreshList, (error: Error) => (problem.value = error.message));
  };
  const found = groups(listed.value);
  return (
    <nav class="rail" aria-label={t("rail")}>
      <div class="rail-head">
        <span class="wordmark">
          <Mark /> Jevons
        </span>
        <IconButton icon="menu" label={t("rail")} expanded={true} onClick={() => set("rail", false)} />
      </div>
      <button type="button" class="new-chat" onClick={() => (newChat(), narrow.value && set("rail", false))}>
        <Icon name="plus" /> {t("newChat")}
      </button>
      {kept.value && (
        <label class="search">
          <Icon name="search" />
          <input type="search" placeholder={t("search")} aria-label={t("search")} value={query.value} onInput={(event) => search(event.currentTarget.value)} />
        </label>
      )}
      <div class="rail-list">
        {kept.value === false && <p class="note">{t("noHistory")}</p>}
        {kept.value && !found.length && <p class="note">{query.value ? t("nothingFound") : t("noHistoryYet")}</p>}
        {found.map(([name, list]) => (
          <section key={name}>
            <h2>{name}</h2>
            <ul>
              {list.map((item) => (
                <Item key={item.id} item={item} />
              ))}
            </ul>
          </section>
        ))}
      </div>
      <div class="rail-foot">
        <button type="button" class="plain" onClick={() => (dialog.value = "settings")}>
          <Icon name="gear" /> {t("settings")}
        </button>
        {kept.value && (
          <>
            <a class="icon-button" href="/history/export" download="jevons-history.jsonl" aria-label={t("exportAll")} title={t("exportAll")}>
              <Icon name="export" />
            </a>
            <input ref={file} type="file" hidden accept=".json,.jsonl,.zip" onChange={(event) => (load(event.currentTarget.files), (event.currentTarget.value = ""))} />
            <IconButton icon="import" label={t("importFile")} onClick={() => file.current!.click()} />
          </>
        )}
      </div>
    </nav>
  );
}

/** The mark: a governor's two weights, held in balance. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M12 3v18M12 6L5 14M12 6l7 8" />
    <circle cx="5" cy="15.5" r="2.5" />
    <circle cx="19" cy="15.5" r="2.5" />
  </svg>
);
