// Makes dist/ of src/: content-hashed names, gzip. `--check`: compares instead of writing (after unpacking, as gzip's bytes
// depend on the version of zlib). `--out DIR`: writes elsewhere. Also refuses a first load of more than 65 KB.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const dist = process.argv.includes("--out") ? process.argv[process.argv.indexOf("--out") + 1] : join(root, "dist");
const FIRST_LOAD = 65_000;

const bundle = await build({
  absWorkingDir: root,
  entryPoints: { app: "src/main.tsx", style: "src/style.css", late: "src/late.css" },
  bundle: true,
  splitting: true,
  minify: true,
  write: false,
  metafile: true,
  format: "esm",
  target: ["chrome123", "firefox120", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
  outdir: "out",
  entryNames: "assets/[name]-[hash]",
  chunkNames: "assets/[name]-[hash]",
});

function licences() {
  const texts = ["preact", "@preact/signals", "@preact/signals-core", "marked", "dompurify"].map((name) => {
    const folder = join(root, "node_modules", name);
    const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return `The chat page contains these packages.\n\n${texts.join("\n---\n\n")}`;
}

const outputs = bundle.metafile.outputs;
const files = new Map(bundle.outputFiles.map((f) => [relative(join(root, "out"), f.path), Buffer.from(f.contents)]));
const entry = (source) => Object.keys(outputs).find((name) => outputs[name].entryPoint === source).slice("out/".length);
const icon = readFileSync(join(root, "src/icon.svg"));
const iconName = `assets/icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
const [script, style] = [entry("src/main.tsx"), entry("src/style.css")];
const shared = outputs[`out/${script}`].imports.filter((i) => i.kind === "import-statement").map((i) => i.path.slice("out/".length));
const preload = shared.map((name) => `<link rel="modulepreload" href="/${name}">`).join("\n    ");
const values = { late: `/${entry("src/late.css")}`, icon: `/${iconName}`, script: `/${script}`, style: `/${style}`, preload };
files.set(iconName, icon);
files.set("index.html", Buffer.from(readFileSync(join(root, "src/index.html"), "utf8").replace(/\{(\w+)\}/g, (_, key) => values[key])));
files.set("licenses.txt", Buffer.from(licences()));

const sizes = (names) => names.reduce((sum, name) => sum + gzipSync(files.get(name), { level: 9 }).length, 0);
const first = sizes(["index.html", iconName, script, style, ...shared]);
console.log(`first load: ${(first / 1000).toFixed(1)} KB gzip (script ${(sizes([script, ...shared]) / 1000).toFixed(1)}); everything: ${(sizes([...files.keys()]) / 1000).toFixed(1)}`);
if (first > FIRST_LOAD) throw new Error(`the first load is ${first} bytes, more than ${FIRST_LOAD}`);

if (process.argv.includes("--check")) check();
else write();

function write() {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(join(dist, "assets"), { recursive: true });
  for (const [name, content] of files) writeFileSync(join(dist, `${name}.gz`), gzipSync(content, { level: 9 }));
}

function check() {
  const present = existsSync(dist) ? readdirSync(dist, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).length : 0;
  const wrong = [...files].filter(([name, content]) => {
    const path = join(dist, `${name}.gz`);
    return !existsSync(path) || !gunzipSync(readFileSync(path)).equals(content);
  });
  if (!wrong.length && present === files.size) return console.log("web/dist is what the sources make");
  console.error(`web/dist is not what the sources make (${wrong.map(([name]) => name).join(", ") || "files too many"}): run npm run build in web/`);
  process.exitCode = 1;
}
