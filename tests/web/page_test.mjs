// The report's page in a real browser.
//
//     node tests/web/page_test.mjs        VLSI=path/to/vlsi and CHROMIUM=path/to/chromium, where they are elsewhere
//     SCREENSHOTS=DIR                     also writes pictures of the page in both modes, on a screen and on a phone
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { axe, open, startBrowser, stopBrowser } from "./browser.mjs";
import { evil, folder, hebrew, makeBrokenRun, makeResults, makeRun, makeStudyPage, markup, metrics, serve, source, vlsi } from "./run.mjs";

let run, broken, report, brokenReport, lensPage, overviewPage, studyPage;

before(async () => {
  run = makeRun();
  broken = makeBrokenRun(run);
  report = join(folder, "report.html");
  brokenReport = join(folder, "broken.html");
  lensPage = join(folder, "lens.html");
  overviewPage = join(folder, "overview.html");
  vlsi("report", run, "--out", report, "--samples", "4");
  vlsi("report", run, broken, "--out", brokenReport, "--samples", "0");
  vlsi("lens", "--model", join(folder, "teacher"), "--prompt", evil, "--image", join(source, "tests/data/images/rgb_8.png"), "--html", lensPage);
  vlsi("report", ...makeResults().flatMap((one) => ["--results", one]), "--with-paper", "--out", overviewPage);
  studyPage = makeStudyPage();
  await startBrowser();
});
after(stopBrowser);

/// The numbers of a heat map, as the page shows them.
const cells = (page, map) => page.locator(`table[data-map=${map}] tbody tr`).evaluateAll((rows) =>
  rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)));

/// Counts of the matches of the iterations from `first` to `last`, student layers 1 and 2 by teacher layers 1 to 3.
function counted(first, last) {
  const counts = [[0, 0, 0], [0, 0, 0]];
  for (const line of metrics(run)) {
    if (line.step !== "interact" || !line.matches || line.iteration < first || line.iteration > last) continue;
    for (const [student, teacher] of line.matches) ++counts[student - 1][teacher - 1];
  }
  return counts.map((row) => row.map(String));
}

test("opens from a file without errors, and asks for nothing", async () => {
  for (const path of [report, brokenReport, lensPage, overviewPage, studyPage]) {
    const { page, problems, requests } = await open(path);
    await page.waitForTimeout(100);
    assert.deepEqual(problems, []);
    assert.deepEqual(requests.filter((url) => !url.startsWith("data:")), [pathToFileURL(path).href]);
  }
});

test("the heat-map holds the counts of metrics.jsonl, for the whole run and for every stretch", async () => {
  const { page } = await open(report);
  assert.deepEqual(await cells(page, "counts"), counted(1, 60));
  const slider = page.locator("#matching input[type=range]");
  const count = Number(await slider.getAttribute("max"));
  assert.ok(count >= 12);
  const seen = new Set();
  let next = 1;
  for (let place = 1; place <= count; ++place) {
    await slider.fill(String(place));
    const [, first, last] = (await page.locator("#matching .where").textContent()).match(/iterations (\d+) to (\d+)/).map(Number);
    assert.equal(first, next);
    next = last + 1;
    assert.deepEqual(await cells(page, "counts"), counted(first, last));
    seen.add(JSON.stringify(await cells(page, "counts")));
    const logged = metrics(run).filter((line) => line.kl_matrix && line.iteration >= first && line.iteration <= last);
    if (logged.length === 0) {
      assert.equal(await page.locator("table[data-map=losses]").count(), 0);
      continue;
    }
    const mean = logged.reduce((sum, line) => sum + line.kl_matrix[1][2], 0) / logged.length;
    const shown = Number((await cells(page, "losses"))[1][2]);
    assert.ok(Math.abs(shown - mean) <= 0.005 * Math.abs(mean), `${shown} for ${mean}, three digits are shown`);
  }
  assert.equal(next, 61);
  assert.ok(seen.size > 1, "the slider changes the map");
});

test("the play button moves through the stretches", async () => {
  const { page } = await open(report);
  await page.getByRole("button", { name: "play" }).click();
  await page.waitForFunction(() => Number(document.querySelector("#matching input[type=range]").value) >= 2);
  await page.getByRole("button", { name: "stop" }).click();
  const place = await page.locator("#matching input[type=range]").inputValue();
  await page.waitForTimeout(900);
  assert.equal(await page.locator("#matching input[type=range]").inputValue(), place);
});

test("pointing at a curve, or moving its cursor by keys, shows the values there", async () => {
  const { page } = await open(report);
  const step = page.locator("section", { has: page.getByRole("heading", { name: "Step 2: interaction" }) }).last();
  const figure = step.locator('figure[data-chart="Loss"]');
  const losses = metrics(run).filter((line) => line.step === "interact" && "loss" in line);
  const shown = async () => {
    const text = await figure.locator(".legend").innerText();
    return { iteration: Number(text.match(/iteration (\d+)/)[1]), value: Number((await figure.locator("output").textContent())) };
  };
  const check = ({ iteration, value }) => {
    const expected = losses[iteration - 1].loss;
    assert.ok(Math.abs(value - expected) <= 5e-4 * expected, `${value} for ${expected} at ${iteration}, four digits are shown`);
  };
  await figure.scrollIntoViewIfNeeded();
  const box = await figure.locator(".u-over").boundingBox();
  for (const share of [0, 0.3, 0.77, 1]) {
    await page.mouse.move(box.x + Math.min(box.width - 1, share * box.width), box.y + box.height / 2);
    await page.waitForTimeout(50);
    const here = await shown();
    assert.ok(Math.abs(here.iteration - (1 + share * 59)) <= 1);
    check(here);
  }
  await page.mouse.move(0, 0);
  const plot = figure.locator(".plot");
  await plot.focus();
  await page.keyboard.press("Home");
  assert.equal((await shown()).iteration, 1);
  check(await shown());
  await page.keyboard.press("ArrowRight");
  assert.equal((await shown()).iteration, 2);
  check(await shown());
  await page.keyboard.press("+");
  await figure.getByRole("button", { name: "show all iterations" }).waitFor();
  await page.keyboard.press("Escape");
  await figure.getByRole("button", { name: "show all iterations" }).waitFor({ state: "detached" });
});

test("the grid of layers holds the tokens that lens --json gives", async () => {
  const { page } = await open(report);
  const models = {
    "student-before": ["--model", join(folder, "student"), "--verbalizers", join(run, "student-verbalizers")],
    "student-after": ["--model", join(run, "model"), "--verbalizers", join(run, "student-verbalizers"), "--head", join(folder, "student")],
    teacher: ["--model", join(folder, "teacher"), "--verbalizers", join(run, "teacher-verbalizers")],
  };
  const card = page.locator(".sample").first();
  const hexadecimal = (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  const visible = (text) => text.replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/[\x00-\x1f\x7f-\x9f]/g, hexadecimal);
  const shown = (role) => card.locator(`[data-role=${role}] tbody tr`).evaluateAll((rows) =>
    rows.map((row) => [row.dataset.layer, [...row.querySelectorAll(".text")].map((cell) => cell.textContent)]));
  const expected = (reading) => [...reading.layers].reverse().map((layer) =>
    [layer.output ? "output" : String(layer.layer), layer.positions.map((candidates) => visible(candidates[0].text))]);
  for (const [role, options] of Object.entries(models)) {
    const lens = JSON.parse(vlsi("lens", ...options, "--prompt", "what color is the shape?", "--image",
      join(source, "tests/data/images/rgb_8.png"), "--max-new-tokens", "16", "--blank", "--json"));
    await card.getByRole("checkbox").setChecked(false);
    assert.deepEqual(await shown(role), expected(lens));
    await card.getByRole("checkbox").setChecked(true);
    assert.deepEqual(await shown(role), expected(lens.blank));
  }
  assert.equal(await card.locator(".links path").count(), 2, "a line from each student layer");
});

test("text from data files is shown as text", async () => {
  const { page, problems } = await open(report);
  const card = page.locator(".sample").nth(1);
  assert.ok((await card.innerText()).includes(evil));
  assert.equal(await page.evaluate(() => window.evil), undefined);
  assert.equal(await page.locator("main script, main img[src=x]").count(), 0);
  const rtl = page.locator(".sample").nth(2).locator("bdi").first();
  assert.equal(await rtl.textContent(), hebrew);
  assert.equal(await rtl.evaluate((element) => getComputedStyle(element).unicodeBidi), "isolate");
  const lens = await open(lensPage);
  assert.ok((await lens.page.locator(".sample").innerText()).includes(evil));
  assert.equal(await lens.page.evaluate(() => window.evil), undefined);
  assert.deepEqual([...problems, ...lens.problems], []);
});

test("gaps, cut files and missing fields are told, and the rest is shown", async () => {
  const { page } = await open(brokenReport);
  const card = page.locator(".run").nth(1);
  const lines = metrics(run).length;
  assert.ok((await card.innerText()).includes(`ends in the middle of line ${lines}: the ${lines - 1} complete lines`));
  const step = page.locator("section", { has: page.getByRole("heading", { name: "Step 2: interaction" }) }).last();
  const loss = step.locator('figure[data-chart="Loss"]');
  assert.match(await loss.locator(".gaps").innerText(), /not a number at iteration 7, 8$/);
  const plot = loss.locator(".plot");
  await plot.focus();
  await page.keyboard.press("Home");
  for (let i = 1; i < 7; ++i) await page.keyboard.press("ArrowRight");
  const [whole, withGaps] = await loss.locator("output").allTextContents();
  assert.equal(withGaps, "not a number");
  assert.ok(Number(whole) > 0);
  assert.equal(await page.locator("table[data-table=configuration]").count(), 1);
});

test("a served page is without errors and follows the run", async () => {
  const { address, stop } = await serve(run);
  const before = readFileSync(join(run, "metrics.jsonl"));
  try {
    const { page, problems, requests } = await open(address);
    await page.getByText("live", { exact: true }).waitFor();
    const progress = page.locator(".steps li").last();
    assert.match(await progress.innerText(), /10 of 10/);
    await page.locator("#matching input[type=range]").fill("3");
    appendFileSync(join(run, "metrics.jsonl"), `${JSON.stringify({ step: "finetune", iteration: 11, loss: 1, seconds: 9 })}\n`);
    await page.waitForFunction(() => [...document.querySelectorAll(".steps li")].at(-1).innerText.includes("11 of 10"));
    assert.equal(await page.locator("#matching input[type=range]").inputValue(), "3", "what the reader chose stays");
    assert.deepEqual(problems, []);
    assert.ok(requests.every((url) => url.startsWith(address) || url.startsWith("data:")));
    stop();
    await page.getByText("connection lost").waitFor();
  } finally {
    stop();
    writeFileSync(join(run, "metrics.jsonl"), before);
  }
});

test("the overview draws every model with a score, and the scores stand in their titles", async () => {
  const { page, problems } = await open(overviewPage);
  const titles = (picture) => page.locator(`svg[data-picture=${picture}] title`).allTextContents();
  const { overview } = JSON.parse(await page.locator("#data").textContent());
  const sized = () => page.locator("svg[data-picture=sizes]").getAttribute("aria-label");
  const check = async (benchmark) => {
    const scored = overview.models.filter((model) => model.scores[benchmark] !== undefined);
    assert.equal((await titles("sizes")).length, scored.length);
    for (const { name } of scored) assert.ok((await titles("sizes")).some((title) => title.startsWith(`${name}: `)), name);
  };
  assert.match(await sized(), /^mm-vet against/);
  await check("mm-vet");
  assert.ok((await titles("sizes")).includes("VLsI-7B: 75.8 %, 7B"));
  assert.ok((await titles("sizes")).includes("Gemini-1.5-Pro: 64.0 %, size not stated"));
  await page.getByLabel("Score against size").selectOption({ label: "mme" });
  await check("mme");
  assert.ok((await titles("sizes")).includes(`${markup}: 1800 of 2800, size not stated`));
  const count = overview.models.reduce((sum, model) => sum + Object.keys(model.scores).length, 0);
  assert.equal((await titles("scores")).length, count);
  assert.ok((await titles("scores")).includes(`${markup}, mmmu: 44.5 % (vlsi)`));
  // No name covers another one's.
  await page.getByLabel("Score against size").selectOption({ label: "mm-vet" });
  const boxes = await page.locator("svg[data-picture=sizes] .name").evaluateAll((names) => names.map((name) => name.getBoundingClientRect().toJSON()));
  assert.ok(boxes.length >= 8);
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left), down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      assert.ok(across <= 0 || down <= 6, `${JSON.stringify(a)} ${JSON.stringify(b)}`);  // 6: the room above and below the letters
    }
  }
  assert.deepEqual(problems, []);
});

test("dark mode follows the system and the reader's choice", async () => {
  const brightness = (page) => page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return (red + green + blue) / 3;
  });
  const { page } = await open(report, { dark: true });
  assert.ok((await brightness(page)) < 60);
  await page.getByLabel("Colours").selectOption("light");
  assert.ok((await brightness(page)) > 200);
  await page.getByLabel("Colours").selectOption("dark");
  assert.ok((await brightness(page)) < 60);
});

test("a phone of 400 pixels scrolls in one direction only", async () => {
  for (const path of [report, brokenReport, lensPage, overviewPage, studyPage]) {
    const { page } = await open(path, { width: 400, height: 800 });
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(widths[0] <= widths[1], `${path}: ${widths}`);
  }
});

test("the keyboard reaches every control", async () => {
  const { page } = await open(report);
  const selector = "a[href], button, select, input, summary, [tabindex='0']";
  const total = await page.locator(selector).count();
  await page.evaluate((s) => document.querySelectorAll(s).forEach((element, i) => { element.dataset.control = i; }), selector);
  const reached = new Set();
  for (let i = 0; i < total + 5; ++i) {
    await page.keyboard.press("Tab");
    const control = await page.evaluate(() => document.activeElement?.dataset.control);
    if (control !== undefined) reached.add(control);
  }
  assert.equal(reached.size, total);
});

test("axe finds nothing serious", async () => {
  for (const path of [report, brokenReport, lensPage, overviewPage, studyPage]) {
    const { page } = await open(path);
    await page.evaluate(axe);
    for (const dark of [false, true]) {
      await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
      // In the dark the page is the same but for its colours.
      const rules = dark ? { runOnly: ["color-contrast", "link-in-text-block"] } : {};
      const { violations } = await page.evaluate((options) => window.axe.run(options), rules);
      const serious = violations.filter((violation) => ["serious", "critical"].includes(violation.impact))
        .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
      assert.deepEqual(serious, []);
    }
  }
});

test("prints on white without its controls", async () => {
  const { page } = await open(report, { dark: true });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  assert.equal(await page.locator("nav").isVisible(), false);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
  assert.ok(await page.locator("table[data-map=counts]").isVisible());
});

test("a study shows tables, matches of both halves and curves with bands", async () => {
  const { page } = await open(studyPage);
  const data = JSON.parse(await page.locator("#data").textContent());
  const rows = (table) => page.locator(`table[data-table=${table}] tbody tr`);
  assert.equal(await rows("scores").count(), 3);
  assert.equal(await rows("differences").count(), 3);
  assert.ok((await rows("differences").first().textContent()).includes(evil), "titles are text");
  const { matches } = data.study;
  assert.deepEqual(matches.map((item) => item.variant), ["vlsi", "random"]);
  for (const half of ["early", "late"]) {
    const shown = await page.locator(`table[data-map=${half}]`).first().locator("tbody td").allTextContents();
    assert.deepEqual(shown, matches[0][half].flat().map((share) => share.toFixed(2)));
    for (const row of matches[0][half]) assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-5);
  }
  const chart = page.locator("#study-curves figure").first();
  // A band is the curve's colour, thinner than any line: with the curves hidden, it goes.
  const coloured = () => chart.locator("canvas").evaluate((canvas) => {
    const { data: pixels } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < pixels.length; i += 4) count += pixels[i + 3] > 30 && pixels[i + 3] < 80;
    return count;
  });
  const before = await coloured();
  assert.ok(before > 500, `${before} pixels of bands`);
  for (const button of await chart.locator(".legend button[aria-pressed]").all()) await button.click();
  await page.waitForTimeout(100);
  assert.ok(await coloured() < before / 2);
});

test("pictures of the page", { skip: !process.env.SCREENSHOTS }, async () => {
  mkdirSync(process.env.SCREENSHOTS, { recursive: true });
  for (const [name, path] of Object.entries({ report, broken: brokenReport, lens: lensPage, overview: overviewPage, study: studyPage })) {
    for (const dark of [false, true]) {
      for (const width of [1280, 400]) {
        const { page } = await open(path, { dark, width });
        await page.waitForTimeout(200);
        await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}-${dark ? "dark" : "light"}-${width}.png`), fullPage: true });
      }
    }
  }
});
