// A view whose code is fetched when it is first shown.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";

export function later(fetch: () => Promise<ComponentType>): ComponentType {
  const loaded = signal<ComponentType | null>(null);
  return () => {
    const View = loaded.value;
    if (!View) void fetch().then((view) => (loaded.value = view));
    return View ? <View /> : null;
  };
}
