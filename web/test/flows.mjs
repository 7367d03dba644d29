// What people do with the page. Each flow opens its own page and server, and throws if something is not as it should be.
import { readFileSync } from "node:fs";

const PRIMES = "How many primes are there below 50? Check the count.";
const corpus = JSON.parse(readFileSync(new URL("./xss.json", import.meta.url), "utf8"));
const text = (page, selector) => page.locator(selector).first().innerText();

export const flows = {
  async empty(open) {
    const t = await open();
    t.check((await text(t.page, "h1")).includes("think through"), "a greeting");
    t.check((await text(t.page, ".model-note")).includes("24 tokens/s"), "what the model costs");
    await t.axe("empty, light");
    await t.shot("empty");
    const dark = await open({ context: { colorScheme: "dark" } });
    await dark.axe("empty, dark");
    await dark.shot("empty-dark");
  },

  async conversation(open) {
    const t = await open({ mock: { delay: 8 } });
    await t.ask(PRIMES);
    await t.page.waitForSelector(".ribbon.thinking .one-line");
    t.check(await t.page.isVisible("text=Answer now"), "a button that ends the thought");
    await t.axe("thinking");
    await t.shot("thinking");
    await t.done();
    t.check(/Thought for [\d.]+ s/.test(await text(t.page, ".ribbon-label")), "an honest timer");
    t.check((await text(t.page, ".answer-text")).includes("15 primes"), "the answer");
    t.check((await text(t.page, ".waterfall-text")).includes("think"), "where the time went");
    t.check((await t.page.locator("pre code.language-python").count()) === 1, "a code block");
    await t.page.click(".ribbon-main");
    t.check((await text(t.page, ".thought")).includes("is 49 prime"), "the thought");
    await t.axe("answered, thought open");
    await t.shot("answered");
    const [body] = t.chats();
    t.check(body.stream && body.logprobs && body.top_logprobs === 5 && body.thinking.type === "enabled", "the agreed request");
    await t.ask("And below 100?");
    await t.done(2);
    const second = t.chats()[1];
    t.check(second.messages.length === 3 && !("reasoning_content" in second.messages[1]), "the answer sent back without its thought");
  },

  async answerNowAndStop(open) {
    const t = await open({ mock: { delay: 15 } });
    await t.ask(PRIMES);
    await t.page.waitForSelector(".ribbon.thinking .one-line");
    await t.page.click("text=Answer now");
    await t.page.waitForSelector(".answer-text .block");
    t.check(!(await text(t.page, ".ribbon")).includes("Answer now"), "no more buttons of the thought");
    await t.page.keyboard.press("Escape");
    await t.done();
    t.check((await text(t.page, ".answer")).includes("Stopped"), "that it was stopped");
    const actions = t.seen.filter((r) => r.path.endsWith("/control")).map((r) => JSON.parse(r.body).action);
    t.check(actions.join() === "answer_now,stop", `both controls, got ${actions}`);
    await t.page.click("text=Continue");
    await t.page.waitForFunction(() => document.body.innerText.includes("and so it goes on."));
    const last = t.chats().at(-1).messages.at(-1);
    t.check(last.prefix === true && last.content.length > 0 && last.reasoning_content.length > 0, "a prefix continuation");
  },

  async branches(open) {
    const t = await open();
    await t.ask("Why is the sky blue?");
    await t.done();
    await t.page.click("[aria-label='Try again']");
    await t.page.waitForSelector("text=2/2");
    await t.done();
    await t.page.locator("main").click({ position: { x: 4, y: 400 } });
    await t.page.keyboard.press("[");
    await t.page.waitForSelector("text=1/2");
    await t.page.keyboard.press("]");
    await t.page.waitForSelector("text=2/2");
    await t.page.keyboard.press("Alt+ArrowUp");
    await t.page.keyboard.type(" Briefly.");
    await t.page.keyboard.press("Enter");
    await t.done();
    t.check((await text(t.page, ".question")).includes("Briefly."), "the edited question");
    t.check((await t.page.locator(".question .branches").count()) === 1, "both questions as branches");
    await t.page.click(".question [aria-label='Previous branch']");
    t.check(!(await text(t.page, ".question")).includes("Briefly."), "the question before the edit");
    t.check((await text(t.page, ".answer .branches")).includes("2/2"), "the branch that was shown there");
    await t.axe("branches");
    await t.shot("branches");
  },

  async glassBox(open) {
    const t = await open({ window: { width: 1440, height: 900 } });
    await t.ask(PRIMES);
    await t.done();
    await t.page.locator("main").click({ position: { x: 4, y: 400 } });
    await t.page.keyboard.press("g");
    await t.page.waitForSelector(".doubts li");
    await t.page.check("text=Shade doubtful words");
    const shaded = await t.page.evaluate(() => [1, 2, 3, 4].reduce((n, i) => n + (CSS.highlights.get(`doubt${i}`)?.size ?? 0), 0));
    t.check(shaded > 5, `shaded words, got ${shaded}`);
    await t.page.click("text=Show what the model was given");
    t.check((await text(t.page, ".raw .cached")).length > 0, "the cached part of the prompt");
    t.check((await text(t.page, ".raw")).includes("<think>"), "the raw prompt");
    await t.axe("glass box");
    await t.shot("glass");
    await t.page.click(".chips button >> text=15");
    await t.page.waitForSelector(".thought .flash");
    await t.page.locator(".doubt").first().click();
    await t.page.locator(".doubts .alternatives button:not([disabled])").first().click();
    await t.page.waitForSelector("text=2/2");
    await t.done();
    const last = t.chats().at(-1).messages.at(-1);
    t.check(last.prefix === true && last.role === "assistant", "a continuation from the other word");
    await t.page.click("text=Compare with branch 1");
    t.check((await t.page.locator(".diff ins, .diff del").count()) > 0, "the differences of the branches");
    await t.shot("glass-compare");
  },

  async pointing(open) {
    const t = await open({ mock: { delay: 1 } });
    await t.ask(PRIMES);
    await t.done();
    await t.page.locator("main").click({ position: { x: 4, y: 400 } });
    await t.page.keyboard.press("Control+k");
    await t.page.keyboard.type("shade");
    await t.page.keyboard.press("Enter");
    await t.page.waitForFunction(() => [1, 2, 3, 4].some((i) => [...(CSS.highlights.get(`doubt${i}`) ?? [])].some((r) => r.startContainer.parentElement?.closest(".answer-text"))));
    const box = await t.page.evaluate(() => {
      for (const i of [1, 2, 3, 4])
        for (const range of CSS.highlights.get(`doubt${i}`) ?? [])
          if (range.startContainer.parentElement.closest(".answer-text p, .answer-text li")) {
            range.startContainer.parentElement.scrollIntoView({ block: "center" });
            const { x, y, width, height } = range.getClientRects()[0];
            return { x: x + width / 2, y: y + height / 2, word: range.toString() };
          }
    });
    await t.page.mouse.move(box.x, box.y);
    await t.page.waitForSelector(".token-card .alternatives");
    t.check((await text(t.page, ".token-card")).includes(box.word.trim()), "the word one points at");
    await t.page.mouse.click(box.x, box.y);
    await t.page.waitForSelector(".token-card.pinned");
    await t.axe("word card");
    await t.shot("pointing");
    await t.page.keyboard.press("Escape");
    t.check((await t.page.locator(".token-card").count()) === 0, "the card gone");
  },

  async editThought(open) {
    const t = await open({ mock: { delay: 1 } });
    await t.ask(PRIMES);
    await t.done();
    await t.page.click(".ribbon-main");
    await t.page.click("[aria-label='Edit and continue']");
    await t.page.fill(".editor textarea", "I will say 16 instead.");
    await t.page.click("text=Continue from here");
    await t.page.waitForSelector("text=2/2");
    await t.done();
    const last = t.chats().at(-1).messages.at(-1);
    t.check(last.reasoning_content === "I will say 16 instead." && last.content === "" && last.prefix, "the edited thought as prefix");
    await t.page.click(".ribbon-main");
    t.check((await text(t.page, ".thought")).startsWith("I will say 16 instead."), "the edited thought and what follows");
  },

  async askThreeMore(open) {
    const t = await open({ mock: { delay: 1 } });
    await t.page.evaluate(() => localStorage.setItem("jevons.settings", '{"seed":0}'));
    await t.page.reload();
    await t.ask(PRIMES);
    await t.done();
    await t.page.click("[aria-label='Ask 3 more times']");
    await t.page.waitForFunction(() => document.querySelector(".agreement")?.innerText.includes("of 4"));
    t.check((await text(t.page, ".agreement")).includes("3 of 4 agree: 15"), `the agreement, got ${await text(t.page, ".agreement")}`);
    await t.axe("agreement");
    await t.shot("agreement");
  },

  async errors(open) {
    const t = await open({ mock: { delay: 1 } });
    await t.ask("REFUSE this");
    await t.page.waitForSelector(".trouble");
    t.check((await text(t.page, ".trouble")).includes("8,192: shorten it"), "the server's own words");
    await t.axe("refused");
    await t.shot("refused");
    await t.page.click("text=New chat");
    await t.ask("BREAK in the middle");
    await t.page.waitForSelector(".trouble");
    t.check((await text(t.page, ".trouble")).includes("layer 3"), "the error inside the stream");
    await t.page.waitForSelector(".send[aria-label=Stop]", { state: "detached" });
    await t.page.context().setOffline(true);
    await t.page.click("text=New chat");
    await t.ask("Anyone?");
    await t.page.waitForSelector("text=cannot be reached");
  },

  async history(open) {
    const t = await open({ mock: { delay: 1 } });
    await t.ask(PRIMES);
    await t.done();
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
    await t.page.click("text=New chat");
    await t.ask("Why is the sky blue?");
    await t.done();
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 2);
    await t.page.reload();
    await t.page.click(".item-open >> text=primes");
    await t.page.waitForSelector("text=15 primes");
    t.check(/Thought for/.test(await text(t.page, ".ribbon-label")), "the thought is kept");
    await t.page.locator("main").click({ position: { x: 4, y: 400 } });
    await t.page.keyboard.press("g");
    await t.page.waitForSelector(".doubts li"); // the token data is kept
    await t.page.keyboard.press("g");
    await t.page.fill("input[type=search]", "Rayleigh");
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 0);
    await t.page.fill("input[type=search]", "wavelength");
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
    await t.page.fill("input[type=search]", "");
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 2);
    await t.page.hover(".item >> nth=0");
    await t.page.click(".item .icon-button >> nth=0");
    await t.axe("menu of a conversation");
    await t.shot("history");
    await t.page.click("text=Rename");
    await t.page.keyboard.type("Blue");
    await t.page.keyboard.press("Enter");
    await t.page.waitForSelector(".item-title >> text=Blue");
    await t.page.hover(".item >> nth=0");
    await t.page.click(".item .icon-button >> nth=0");
    await t.page.click("text=Delete");
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
    const none = await open({ mock: { history: false, delay: 1 } });
    await none.page.waitForSelector("text=keeps no history");
    await none.ask("Why is the sky blue?");
    await none.done();
  },

  async key(open) {
    const t = await open({ mock: { key: "s3cret", delay: 1 }, hash: "/#k=s3cret" });
    await t.page.waitForSelector("text=deepseek-r1-distill-qwen-1.5b");
    t.check(!t.page.url().includes("s3cret"), "the key gone from the address");
    const stored = await t.page.evaluate(() => JSON.stringify(localStorage) + document.cookie);
    t.check(!stored.includes("s3cret"), "no key within reach of scripts");
    const other = await open({ mock: { key: "s3cret", delay: 1 } });
    await other.page.waitForSelector("text=asks for its key");
    await other.axe("key");
    await other.shot("key");
    await other.page.fill("input[type=password]", "wrong");
    await other.page.keyboard.press("Enter");
    await other.page.waitForSelector("text=This is not the key");
    await other.page.fill("input[type=password]", "s3cret");
    await other.page.keyboard.press("Enter");
    await other.page.waitForSelector("text=deepseek-r1-distill-qwen-1.5b");
  },

  async foreignText(open) {
    // The sanitizer parses in a document of its own, which the policy watches too: Chromium reports what it finds there.
    const t = await open({ mock: { delay: 0 }, expected: /^(Executing inline|Applying inline)/ });
    let alerts = 0;
    t.page.on("dialog", () => alerts++);
    await t.ask(`XSS ${corpus.join("\n\n")}`);
    await t.done();
    await t.page.waitForTimeout(300);
    t.check(alerts === 0, "no script of the answer ran");
    const bad = await t.page.evaluate(() => [...document.querySelectorAll(".prose *")].flatMap((e) => [...e.attributes].filter((a) => /^on|^style$|^id$/.test(a.name) || /javascript:/i.test(a.value)).map(() => e.outerHTML)));
    t.check(!bad.length, `nothing active in the answer: ${bad[0]}`);
    return `${corpus.length} cases`;
  },

  async longThought(open) {
    const t = await open({ mock: { delay: 0 } });
    await t.page.evaluate(() => {
      globalThis.longest = 0;
      let last = performance.now();
      const tick = (now) => ((globalThis.longest = Math.max(globalThis.longest, now - last)), (last = now), requestAnimationFrame(tick));
      requestAnimationFrame(tick);
    });
    await t.ask("LONG");
    await t.page.waitForSelector(".ribbon.thinking .ribbon-main");
    await t.page.click(".ribbon-main");
    let most = 0;
    const nodes = () => t.page.evaluate(() => { let n = 0; for (const w = document.createTreeWalker(document); w.nextNode(); ) n++; return n; });
    while (await t.page.isVisible(".send[aria-label=Stop]")) most = Math.max(most, await nodes());
    await t.done();
    const gap = await t.page.evaluate(() => globalThis.longest);
    const tokens = await text(t.page, ".ribbon .figure");
    const frames = await t.page.evaluate(async () => {
      const box = document.querySelector(".thought");
      const times = [];
      let last = await new Promise(requestAnimationFrame);
      for (let y = box.scrollHeight; y > 0; y -= Math.max(300, box.scrollHeight / 400)) {
        box.scrollTop = y;
        const now = await new Promise(requestAnimationFrame);
        times.push(now - last);
        last = now;
      }
      times.sort((a, b) => a - b);
      return { median: times[times.length >> 1], p95: times[Math.floor(times.length * 0.95)], count: times.length };
    });
    for (const place of [0, 0.3, 0.6, 1]) {
      await t.page.evaluate((p) => { const box = document.querySelector(".thought"); box.scrollTop = p * box.scrollHeight; }, place);
      await t.page.waitForTimeout(100);
      most = Math.max(most, await nodes());
      t.check((await t.page.evaluate(() => { const b = document.querySelector(".thought").getBoundingClientRect(); return document.elementFromPoint(b.x + 60, b.y + b.height / 2)?.closest(".block") !== null; })), `text in sight at ${place}`);
    }
    t.check(most <= 4000, `at most 4,000 nodes, got ${most}`);
    t.check(Number(tokens.replace(/\D/g, "")) >= 100_000, `100,000 tokens, got ${tokens}`);
    await t.axe("long thought");
    await t.shot("long");
    return `${tokens}, most nodes ${most}, longest frame gap while streaming ${gap.toFixed(0)} ms, scrolling: median ${frames.median.toFixed(1)} ms, p95 ${frames.p95.toFixed(1)} ms of ${frames.count} frames`;
  },

  async phone(open) {
    for (const width of [320, 390]) {
      const t = await open({ window: { width, height: 700 }, mock: { delay: 1 }, context: { hasTouch: true } });
      const wide = () => t.page.evaluate(() => document.documentElement.scrollWidth > innerWidth || document.querySelector("main").scrollWidth > document.querySelector("main").clientWidth);
      t.check(!(await wide()), `no sideways scrolling at ${width}`);
      await t.shot(`phone-empty-${width}`);
      await t.ask(PRIMES);
      await t.done();
      t.check(!(await wide()), `no sideways scrolling of an answer at ${width}`);
      await t.axe(`phone ${width}`);
      await t.shot(`phone-${width}`);
      await t.page.click("[aria-label=Conversations]");
      await t.axe(`rail on phone ${width}`);
      await t.shot(`phone-rail-${width}`);
      const small = await t.page.evaluate(() => [...document.querySelectorAll("button, a, input:not([hidden])")].filter((e) => { const b = e.getBoundingClientRect(); return b.width && b.top >= 0 && getComputedStyle(e).opacity !== "0" && !e.matches(".skip") && (b.width < 24 || b.height < 24); }).map((e) => e.outerHTML.slice(0, 90)));
      t.check(!small.length, `targets of 24 px and more: ${small[0]}`);
    }
  },

  async languages(open) {
    const t = await open({ context: { locale: "zh-CN" }, mock: { delay: 1 } });
    await t.page.waitForSelector("text=一切都留在这台机器上");
    t.check((await t.page.getAttribute("html", "lang")) === "zh", "the language of the page");
    await t.ask("50 以内有多少个质数？");
    await t.page.waitForSelector(".answer-foot");
    t.check((await text(t.page, ".ribbon-label")).includes("思考了"), "Chinese labels");
    await t.axe("Chinese");
    await t.shot("chinese");
  },

  async keysAndSettings(open) {
    const t = await open({ mock: { delay: 1 } });
    await t.page.locator("main").click({ position: { x: 4, y: 300 } });
    await t.page.keyboard.press("?");
    await t.page.waitForSelector("dialog >> text=Previous, next branch");
    await t.axe("keys");
    await t.shot("keys");
    await t.page.keyboard.press("Escape");
    await t.page.keyboard.press("/");
    t.check(await t.page.evaluate(() => document.activeElement.id === "draft"), "the focus in the draft");
    await t.page.keyboard.press("Control+k");
    await t.page.waitForSelector(".palette input");
    await t.axe("palette");
    await t.shot("palette");
    await t.page.keyboard.type("settings");
    await t.page.keyboard.press("Enter");
    await t.page.waitForSelector("dialog >> text=Colours");
    await t.page.click("dialog >> text=Dark");
    await t.page.fill("dialog textarea", "Answer in verse.");
    await t.page.fill("label:has-text('Most tokens of thought and answer') input", "500");
    await t.page.keyboard.press("Tab");
    await t.axe("settings, dark");
    await t.shot("settings");
    await t.page.keyboard.press("Escape");
    await t.page.click(".pill.toggle");
    await t.page.click(".pill.model");
    await t.axe("models");
    await t.shot("models");
    await t.page.click(".menu >> text=deepseek-v2-lite-chat");
    await t.ask("Why is the sky blue?");
    await t.done();
    const [body] = t.chats();
    t.check(body.messages[0].content === "Answer in verse." && body.max_tokens === 500, "the settings in the request");
    t.check(body.thinking.type === "disabled" && body.model === "deepseek-v2-lite-chat", "the switch and the model in the request");
    await t.axe("dark answer");
    await t.shot("dark");
    await t.page.reload();
    await t.page.waitForSelector(".pill.model >> text=deepseek-v2-lite-chat");
  },

  async files(open) {
    const t = await open({ mock: { delay: 1 } });
    const input = t.page.locator(".composer input[type=file]");
    await input.setInputFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("line one\n") });
    await t.page.waitForSelector(".files >> text=notes.txt");
    await input.setInputFiles({ name: "a.bin", mimeType: "application/octet-stream", buffer: Buffer.from([0xff, 0xfe, 0, 1]) });
    await t.page.waitForSelector("text=a.bin is not text");
    await input.setInputFiles({ name: "big.txt", mimeType: "text/plain", buffer: Buffer.alloc(1_100_000, "a") });
    await t.page.waitForSelector("text=big.txt is larger");
    await t.axe("files");
    await t.ask("What is in it?");
    await t.done();
    t.check(t.chats()[0].messages[0].content === "What is in it?\n\nnotes.txt\n```\nline one\n```", "the file in the message");
  },
};

/** With any model behind `jevons serve`: what does not depend on what it says. */
export const realFlows = {
  async history(open) {
    const t = await open();
    await t.ask("Tell me one fact about walruses.");
    await t.done();
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
    const answer = (await text(t.page, ".answer-text")).slice(0, 40);
    await t.page.click("text=New chat");
    await t.ask("Say good morning.");
    await t.done();
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 2);
    await t.page.reload();
    await t.page.click(".item-open >> text=walruses");
    await t.page.waitForFunction((kept) => document.querySelector(".answer-text")?.innerText.startsWith(kept), answer);
    await t.page.fill("input[type=search]", "walruses");
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
    await t.shot("real-history");
    await t.page.fill("input[type=search]", "");
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 2);
    await t.page.hover(".item >> nth=0");
    await t.page.click(".item .icon-button >> nth=0");
    await t.page.click("text=Delete");
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
    await t.page.reload();
    await t.page.waitForFunction(() => document.querySelectorAll(".item").length === 1);
    t.check((await text(t.page, ".item")).includes("walruses"), "the deleted one is gone, the other kept");
    return JSON.stringify(answer);
  },

  async conversation(open) {
    const t = await open();
    await t.page.waitForSelector(".dot");
    await t.axe("empty");
    await t.ask(`Here is a list of words: ${"apple, river, stone, cloud, ".repeat(12)}and that is all. Say hello in one short sentence.`);
    await t.done();
    t.check((await t.page.locator(".trouble").count()) === 0, "no error");
    const answer = await text(t.page, ".answer-text");
    t.check(answer.trim().length > 0, "an answer");
    t.check((await text(t.page, ".waterfall-text")).length > 0, "where the time went");
    await t.ask("And now goodbye.");
    await t.done(2);
    t.check((await t.page.locator(".waterfall-text").last().innerText()).includes("cached"), "the conversation before comes from the cache");
    await t.shot("real");
    return JSON.stringify(answer.slice(0, 80));
  },

  async glassBox(open) {
    const t = await open({ window: { width: 1440, height: 900 } });
    await t.ask("Name three colours.");
    await t.done();
    await t.page.locator("main").click({ position: { x: 4, y: 400 } });
    await t.page.keyboard.press("g");
    await t.page.waitForSelector(".doubts");
    t.check((await t.page.locator(".doubts li").count()) > 0, "doubtful words");
    await t.page.check("text=Shade doubtful words");
    await t.page.click("text=Show what the model was given");
    await t.page.waitForSelector(".raw");
    t.check((await text(t.page, ".raw")).includes("Name three colours."), "the raw prompt");
    await t.axe("glass box");
    await t.shot("real-glass");
    await t.page.locator(".doubt").first().click();
    await t.page.locator(".doubts .alternatives button:not([disabled])").first().click();
    await t.page.waitForSelector("text=2/2");
    await t.done();
    t.check((await t.page.locator(".trouble").count()) === 0, "no error in the fork");
  },

  async stop(open) {
    const t = await open();
    await t.ask("Write a very long story about the sea, with many chapters.");
    await t.page.waitForSelector(".answer-text .tail:not(:empty), .answer-text .block, .one-line");
    await t.page.click("[aria-label=Stop]");
    await t.done();
    t.check((await text(t.page, ".answer")).includes("Stopped"), "that it was stopped");
  },
};
