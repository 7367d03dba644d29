// What a person prefers, kept in the browser. Nothing secret is stored: keys are cookies of the server.
import { effect, signal } from "@preact/signals";

export interface Settings {
  theme: "auto" | "light" | "dark";
  language: "auto" | "en" | "zh";
  thought: "quiet" | "line" | "open";
  think: boolean;
  budget: number | null; // tokens of thought
  model: string;
  system: string;
  temperature: number | null;
  topP: number | null;
  maxTokens: number | null;
  seed: number | null;
  shading: boolean;
  rail: boolean;
}

const DEFAULTS: Settings = {
  theme: "auto",
  language: "auto",
  thought: "line",
  think: true,
  budget: null,
  model: "",
  system: "",
  temperature: null,
  topP: null,
  maxTokens: null,
  seed: null,
  shading: false,
  rail: true,
};
const KEY = "jevons.settings";

function stored(): Partial<Settings> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>;
  } catch {
    return {}; // storage is forbidden or was written by something else: defaults
  }
}

export const settings = signal<Settings>({ ...DEFAULTS, ...stored() });

export function set<K extends keyof Settings>(name: K, value: Settings[K]): void {
  settings.value = { ...settings.value, [name]: value };
}

export function keepSettings(): void {
  effect(() => {
    const s = settings.value;
    document.documentElement.dataset["theme"] = s.theme;
    document.documentElement.lang = language();
    try {
      localStorage.setItem(KEY, JSON.stringify(s));
    } catch {
      // without storage they last as long as the page
    }
  });
}

export function language(): "en" | "zh" {
  const chosen = settings.value.language;
  return chosen !== "auto" ? chosen : navigator.language.startsWith("zh") ? "zh" : "en";
}
