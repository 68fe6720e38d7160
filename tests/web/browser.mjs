// A real browser for the tests of the pages. It has one page, which goes from address to address: a new one takes three times as long.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { source } from "./run.mjs";

const require = createRequire(join(source, "web/package.json"));
const { chromium } = require("playwright-core");
export const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

let browser, page, problems, requests;

export async function startBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"],
  });
  page = await browser.newPage();
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("dialog", (dialog) => { problems.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => requests.push(request.url()));
}

export const stopBrowser = () => browser?.close();

/// The page at `address` (of a server, or a file), and what goes wrong in it from now on.
export async function open(address, { width = 1280, height = 900, dark = false } = {}) {
  await page.goto("about:blank");
  problems = [], requests = [];
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ media: "screen", colorScheme: dark ? "dark" : "light" });
  await page.mouse.move(0, 0);
  await page.goto(address.startsWith("http") ? address : pathToFileURL(address).href);
  await page.waitForSelector("h1");
  return { page, problems, requests };
}
