// The chat page in a real Chromium: flows, accessibility, what leaves the origin, long thoughts.
//   node test/browser.mjs                        all flows, against the mock server
//   node test/browser.mjs --server URL           the flows that fit any model, against a running `jevons serve`
//   ... --dist                                   there, but with the page of dist/ instead of the one in the program
//   node test/browser.mjs --only NAME            one flow;  --shots DIR: keeps screenshots
// Needs Chromium (CHROMIUM=path, else /usr/bin/chromium); without one says so and passes.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { flows, realFlows } from "./flows.mjs";
import { startMock } from "./mock.mjs";

const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  console.log(`browser tests skipped: there is no Chromium at ${executablePath}`);
  process.exit(0);
}
const shots = option("--shots");
if (shots) mkdirSync(shots, { recursive: true });
const server = option("--server");
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

const mockPage = server ? await startMock() : null;
async function fromDist(route) {
  const response = await fetch(mockPage.url + new URL(route.request().url()).pathname);
  const headers = Object.fromEntries([...response.headers].filter(([name]) => /^content-(type|security)/.test(name)));
  await route.fulfill({ status: response.status, headers, body: Buffer.from(await response.arrayBuffer()) });
}

/** What a flow gets: a page on a fresh server, and things to find out about it. */
async function open({ mock = {}, window = { width: 1280, height: 800 }, context = {}, hash = "", expected = /^$/ } = {}) {
  const backend = server ? { url: server, seen: [], close() {} } : await startMock({ delay: 3, ...mock });
  const browserContext = await browser.newContext({ viewport: window, ...context });
  const page = await browserContext.newPage();
  page.setDefaultTimeout(server ? 180_000 : 20_000);
  if (server && process.argv.includes("--dist")) await page.route(/\/(assets\/.*)?$/, fromDist);
  const foreign = [];
  const errors = [];
  page.on("request", (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== new URL(backend.url).origin) foreign.push(r.url());
  });
  page.on("pageerror", (e) => errors.push(e.stack));
  page.on("dialog", (d) => d.accept());
  page.on("console", (m) => {
    if (m.type() === "error" && !/Failed to load resource/.test(m.text()) && !expected.test(m.text())) errors.push(m.text());
  });
  await page.goto(backend.url + hash);
  await page.waitForSelector("#draft");
  const t = {
    page,
    seen: backend.seen,
    url: backend.url,
    check(condition, what) {
      if (!condition) throw new Error(`expected: ${what}`);
    },
    async ask(text) {
      await page.fill("#draft", text);
      await page.press("#draft", "Enter");
    },
    done: (n = 1) => page.waitForFunction((count) => document.querySelectorAll(".answer-foot").length >= count && !document.querySelector(".send[aria-label=Stop]"), n),
    shot: (name) => (shots ? page.screenshot({ path: `${shots}/${name}.png` }) : undefined),
    async axe(what) {
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      const text = violations.map((v) => `${v.id}: ${v.help}\n    ${v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160)).join("\n    ")}`).join("\n  ");
      t.check(!violations.length, `no accessibility violation (${what})\n  ${text}`);
    },
    chats: () => backend.seen.filter((r) => r.path === "/v1/chat/completions").map((r) => JSON.parse(r.body)),
    async close() {
      await browserContext.close();
      backend.close();
      t.check(!foreign.length, `no request leaves the origin; left: ${foreign.slice(0, 3).join(" ")}`);
      t.check(!errors.length, `no error in the page; there was: ${errors.slice(0, 3).join("\n")}`);
    },
  };
  return t;
}

let failed = 0;
const only = option("--only");
for (const [name, flow] of Object.entries(server ? realFlows : flows)) {
  if (only && name !== only) continue;
  const begun = performance.now();
  const opened = [];
  const start = async (options) => {
    const t = await open(options);
    opened.push(t);
    return t;
  };
  try {
    const note = await flow(start);
    for (const t of opened) await t.close();
    console.log(`ok    ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)${note ? `: ${note}` : ""}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n  ${error.stack}`);
    if (shots && opened[0]) await opened.at(-1).page.screenshot({ path: `${shots}/failed-${name}.png` }).catch(() => {});
    for (const t of opened) await t.close().catch(() => {});
  }
}
await browser.close();
mockPage?.close();
console.log(failed ? `${failed} flows failed` : "all flows passed");
process.exit(failed ? 1 : 0);
