import { effect } from "@preact/signals";
import { render } from "preact";
import { openSession } from "./core/api";
import { refreshModels } from "./core/chat";
import { refreshList } from "./core/history";
import { loadLanguage } from "./core/i18n";
import { keepSettings, set } from "./core/settings";
import { App } from "./ui/App";
import { narrow } from "./ui/Rail";

keepSettings();
effect(() => void loadLanguage());
if (narrow.value) set("rail", false);
render(<App />, document.getElementById("app")!);
requestAnimationFrame(() => ((document.getElementById("late") as HTMLLinkElement).rel = "stylesheet"));
openSession()
  .catch(() => {}) // a key that does not fit: the requests below are answered 401 and the page asks for it
  .then(() => Promise.all([refreshModels(), refreshList()]))
  .finally(() => document.getElementById("draft")?.focus());
