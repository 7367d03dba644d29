// A growing text in the page, and what one sees when pointing at its words.
import { signal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { type Turn } from "../core/conversation";
import { type Link } from "../core/links";
import { settings } from "../core/settings";
import { TextView } from "../core/textview";
import type { Token } from "../core/trace";
import { makePainter } from "./paint";

export type Part = "thought" | "answer";
export interface Pointed {
  turn: Turn;
  part: Part;
  token: Token | null;
  link: Link | null;
  x: number;
  y: number;
  pinned: boolean;
}
export const pointed = signal<Pointed | null>(null);

const thoughtViews = new WeakMap<Turn, TextView>();
const opened = new WeakMap<Turn, ReturnType<typeof signal<boolean | null>>>();

/** Whether a person opened (true) or folded (false) the thought of a turn; null: as the settings say. */
export function openState(turn: Turn) {
  let state = opened.get(turn);
  if (!state) opened.set(turn, (state = signal<boolean | null>(null)));
  return state;
}
export const isOpen = (turn: Turn) => openState(turn).value ?? settings.value.thought === "open";

const wanted = new WeakMap<Turn, number>(); // places of thoughts that are being opened

export function showThoughtAt(turn: Turn, position: number): void {
  wanted.set(turn, position);
  openState(turn).value = true;
  if (thoughtViews.has(turn)) revealWanted(turn);
}

function revealWanted(turn: Turn): void {
  requestAnimationFrame(() => {
    const position = wanted.get(turn);
    const element = position !== undefined && thoughtViews.get(turn)?.reveal(position);
    wanted.delete(turn);
    if (!element) return;
    element.classList.add("flash");
    setTimeout(() => element.classList.remove("flash"), 1600);
  });
}

interface TextProps {
  turn: Turn;
  part: Part;
  links?: Link[];
}
const NO_LINKS: Link[] = [];

export function Text({ turn, part, links = NO_LINKS }: TextProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<TextView | null>(null);
  const doc = turn.reply![part];
  const shading = settings.value.shading;
  const painter = useMemo(() => makePainter(doc, shading, links), [doc, shading, links]);
  useEffect(() => {
    const scroller = part === "thought" ? host.current!.closest<HTMLElement>(".thought") : document.querySelector<HTMLElement>("main");
    view.current = new TextView(host.current!, doc, painter, scroller);
    if (part === "thought") thoughtViews.set(turn, view.current), revealWanted(turn);
    return () => {
      view.current?.dispose();
      if (part === "thought") thoughtViews.delete(turn);
    };
  }, [doc]);
  useEffect(() => view.current?.setPainter(painter), [painter]);
  useSignalEffect(() => {
    turn.reply!.tick.value;
    view.current?.update();
  });
  const point = (event: MouseEvent, pinned: boolean) => {
    if (pointed.value?.pinned && !pinned) return;
    const place = view.current?.sourceAt(event.clientX, event.clientY) ?? null;
    const token = place !== null && (shading || pinned) ? (doc.trace?.at(place) ?? null) : null;
    const link = place !== null ? (links.find((l) => l.start <= place && place < l.end) ?? null) : null;
    const found = (token && (pinned ? shading : token.entropy >= 0.6)) || link;
    if (pinned && link && !shading) return showThoughtAt(turn, link.thought);
    pointed.value = found ? { turn, part, token, link, x: event.clientX, y: event.clientY, pinned } : null;
  };
  return (
    <div
      ref={host}
      class="prose"
      dir="auto"
      onMouseMove={(event) => point(event, false)}
      onMouseLeave={() => !pointed.value?.pinned && (pointed.value = null)}
      onClick={(event) => getSelection()?.isCollapsed !== false && point(event, true)}
    />
  );
}
