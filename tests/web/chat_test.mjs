// The page of a served model in a real browser.
//
//     node tests/web/chat_test.mjs        VLSI=path/to/vlsi and CHROMIUM=path/to/chromium, where they are elsewhere
//     SCREENSHOTS=DIR                     also writes pictures of the page in both modes, on a screen and on a phone
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { axe, open, startBrowser, stopBrowser } from "./browser.mjs";
import { evil, folder, makeRun, serveModel, source, vlsi } from "./run.mjs";

const picture = join(source, "tests/data/images/rgb_8.png");
const question = "what color is the shape?";

let run, server;

before(async () => {
  run = makeRun();
  server = await serveModel(run);
  await startBrowser();
});
after(async () => {
  await stopBrowser();
  server?.stop();
});

async function ask(page, text) {
  await page.getByLabel("question", { exact: true }).fill(text);
  await page.getByRole("button", { name: "send", exact: true }).click();
  await page.getByRole("button", { name: "stop", exact: true }).and(page.locator(":disabled")).waitFor();
}

async function setLongest(page, tokens) {
  const field = page.getByLabel("Longest answer, tokens");
  if (!(await field.isVisible())) await page.getByText("Settings").click();
  await field.fill(String(tokens));
}

const answers = (page) => page.locator('.turn[data-role="assistant"] .pre').allTextContents();

/// What the program answers without a server.
const expected = (text, ...more) => JSON.parse(vlsi("generate", "--model", join(run, "model"), "--greedy", "--json", "--max-new-tokens", "6",
  "--prompt", text, ...more)).text;

test("a question is answered as the program answers it, with the layers beside it", async () => {
  const { page, problems, requests } = await open(server.address);
  await setLongest(page, 6);
  await ask(page, question);
  assert.deepEqual(await answers(page), [expected(question)]);
  await page.locator("table.grid").waitFor();
  const rows = await page.locator("table.grid tbody tr").evaluateAll((all) => all.map((row) => row.dataset.layer));
  assert.deepEqual(rows, ["output", "2", "1"]);
  await ask(page, "is there a circle?");
  assert.equal((await answers(page)).length, 2);
  await page.getByRole("button", { name: "new conversation" }).click();
  assert.equal((await answers(page)).length, 0);
  assert.deepEqual(problems, []);
  assert.ok(requests.every((url) => url.startsWith(server.address) || url.startsWith("data:")));
});

/// A picture file as a browser hands it over.
const handOver = (page, kind) => page.evaluate(([data, type]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "a.png", { type: "image/png" }));
  window.dispatchEvent(type === "drop" ? new DragEvent("drop", { dataTransfer: transfer, cancelable: true })
                                       : new ClipboardEvent("paste", { clipboardData: transfer }));
}, [readFileSync(picture).toString("base64"), kind]);

test("pictures are chosen, dropped and pasted, and taken away", async () => {
  const { page, problems } = await open(server.address);
  await setLongest(page, 6);
  for (const kind of ["drop", "paste", "choose"]) {
    if (kind === "choose") {
      await page.getByLabel("choose pictures").setInputFiles(picture);
    } else {
      await handOver(page, kind);
    }
    await page.locator(".thumbnail").waitFor();
    await ask(page, question);
    assert.equal((await answers(page)).at(-1), expected(question, "--image", picture), kind);
    assert.equal(await page.locator('.turn[data-role="user"] img').count(), 1);
    await page.locator("table.grid").waitFor();
    await page.getByRole("button", { name: "new conversation" }).click();
  }
  await handOver(page, "drop");
  await page.locator(".thumbnail").click();
  assert.equal(await page.locator(".thumbnail").count(), 0);
  assert.deepEqual(problems, []);
});

test("an answer is stopped, and the next question is asked", async () => {
  const { page } = await open(server.address);
  await setLongest(page, 100000);
  await page.getByLabel("Temperature").fill("100"); // so that hardly an answer ends by itself at once
  const stop = page.getByRole("button", { name: "stop", exact: true });
  let notes = [];
  for (let i = 0; i < 20 && !notes.includes("stopped"); ++i) {
    await page.getByLabel("question", { exact: true }).fill(question);
    await page.getByRole("button", { name: "send", exact: true }).click();
    await page.waitForFunction(() => document.querySelectorAll(".turn").length === 2);
    await page.waitForTimeout(50);
    await stop.evaluate((button) => button.click()); // not the mouse: the answer may end before it is there
    await stop.and(page.locator(":disabled")).waitFor();
    notes = await page.locator(".turn .note").allTextContents();
    await page.getByRole("button", { name: "new conversation" }).click();
  }
  assert.ok(notes.includes("stopped"), String(notes));
  await page.getByLabel("Longest answer, tokens").fill("6");
  await page.getByLabel("Temperature").fill("0");
  await ask(page, question);
  assert.deepEqual(await answers(page), [expected(question)]);
});

test("what is said stays text, and what goes wrong is shown with the question kept", async () => {
  const { page } = await open(server.address);
  await setLongest(page, 6);
  await ask(page, evil);
  assert.equal(await page.evaluate(() => window.evil), undefined);
  assert.equal((await page.locator('.turn[data-role="user"] .pre').textContent()), evil);
  await page.getByRole("button", { name: "new conversation" }).click();
  const broken = join(folder, "broken.png");
  writeFileSync(broken, readFileSync(picture).subarray(0, 40));
  await page.getByLabel("choose pictures").setInputFiles(broken);
  await page.locator(".thumbnail").waitFor();
  await ask(page, question);
  await page.getByRole("alert").waitFor();
  assert.equal(await page.getByLabel("question", { exact: true }).inputValue(), question);
  assert.equal(await page.locator(".thumbnail").count(), 1);
});

test("a key is asked for where there is one", async () => {
  const keys = join(folder, "keys");
  writeFileSync(keys, "sk-page\n");
  const keyed = await serveModel(run, "--api-key-file", keys);
  try {
    const { page } = await open(keyed.address);
    await page.getByLabel("Key").fill("wrong");
    await setLongest(page, 6);
    await ask(page, question);
    await page.getByText("the request lacks its key").waitFor();
    await page.getByLabel("Key").fill("sk-page");
    await ask(page, question);
    assert.deepEqual(await answers(page), [expected(question)]);
  } finally {
    keyed.stop();
  }
});

test("axe finds nothing serious, on a screen and on a phone", async () => {
  for (const [dark, width] of [[false, 1280], [true, 400]]) {
    const { page } = await open(server.address, { dark, width });
    await setLongest(page, 6);
    await handOver(page, "drop");
    await ask(page, question);
    await page.locator("table.grid").waitFor();
    await handOver(page, "paste");
    await page.locator(".thumbnail").waitFor();
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(widths[0] <= widths[1], String(widths));
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    const serious = violations.filter((violation) => ["serious", "critical"].includes(violation.impact))
      .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
    assert.deepEqual(serious, []);
    if (process.env.SCREENSHOTS) {
      mkdirSync(process.env.SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: join(process.env.SCREENSHOTS, `chat-${dark ? "dark" : "light"}-${width}.png`), fullPage: true });
    }
  }
});
