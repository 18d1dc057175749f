// Sample pages behind a server with the dashboard's headers, and Chromium in front of it.

import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

/** What prepare has made. */
export const folder = process.argv[2];
export const require = createRequire(`${folder}/`);
const { chromium } = require("playwright-core");
const pages = path.join(folder, "pages");

const TYPES = { ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".csv": "text/csv" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** The name of every sample. */
export const names = fs.readdirSync(pages).filter((name) => name.endsWith(".html"))
  .map((name) => name.slice(0, -5)).sort();

export const html = (name) => fs.readFileSync(path.join(pages, `${name}.html`), "utf8");

/**
 * Serves the samples at /NAME.html and their assets. `answer(request, response)` may take a request first, and then
 * returns true. A live stream that nobody answers stays open in silence.
 */
export async function serve(answer = () => false) {
  const server = http.createServer((request, response) => {
    response.setHeader("Content-Security-Policy", POLICY);
    if (answer(request, response)) return;
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname.endsWith("/live")) {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(": waiting\n\n");
      return;
    }
    const file = path.join(pages, path.normalize(pathname));
    if (!fs.existsSync(file) || fs.statSync(file).isDirectory()) {
      response.writeHead(404, { "Content-Type": "text/html" }).end("no such page");
      return;
    }
    response.writeHead(200, { "Content-Type": TYPES[path.extname(file)] ?? "text/html; charset=utf-8" });
    response.end(fs.readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://localhost:${server.address().port}`, end: () => server.closeAllConnections() || server.close() };
}

export const launch = (...args) => chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", ...args] });

/** The two widths and the two themes in which every page is looked at. */
export const LOOKS = [1280, 390].flatMap((width) => ["light", "dark"].map((theme) => ({ width, theme })));

/** A browser's window of one look; `options` go to Playwright. */
export function open(browser, { width, theme }, options = {}) {
  const phone = width < 500;
  return browser.newContext({
    viewport: { width, height: phone ? 844 : 800 },
    colorScheme: theme,
    reducedMotion: "reduce",
    hasTouch: phone,
    isMobile: phone,
    locale: "en-US",
    timezoneId: "America/Chicago",
    ...options,
  });
}
