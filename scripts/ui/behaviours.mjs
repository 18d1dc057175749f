// What pages do with their script, and that they do without it. Each runs in a window of its own.

import assert from "node:assert/strict";

import { html, open, serve } from "./browser.mjs";

const DESK = { width: 1280, theme: "light" };
const live = (name) => html(name).match(/<div id="live"[^>]*>([\s\S]*?)<\/div>\s*<\/section>/)[1];
const event = (lines, name) => (name ? `event: ${name}\n` : "") + lines.split("\n").map((line) => `data: ${line}\n`).join("") + "\n";
const page = (response, name) => {
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(html(name));
  return true;
};

/** A server with these answers, a window on it, and both closed behind `act`. */
const behaviour = (what, act, answer, options) => [what, async (browser) => {
  const server = await serve(answer);
  const context = await open(browser, DESK, options);
  try {
    await act(await context.newPage(), server.url, context);
  } finally {
    await context.close();
    server.end();
  }
}];

/** Streams that behaviours write to. */
const streams = [];
let done = false;
const streaming = (request, response) => {
  if (request.url.endsWith("/live")) {
    streams.push(response.writeHead(200, { "Content-Type": "text/event-stream" }));
    response.write(": here\n\n");
    return true;
  }
  if (request.url.startsWith("/batches/")) return page(response, done ? "batch-done" : "batch");
  return false;
};

async function until(condition) {
  for (let tries = 0; tries < 200; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`never true: ${condition}`);
}

export const behaviours = [
  behaviour("times become the viewer's, keep UTC at hand, and go back to it", async (page, url) => {
    await page.goto(`${url}/batch-done.html`);
    const time = page.locator("#live time").first();
    assert.match(await time.textContent(), /^27 Nov 2026, 07:04$/);
    assert.match(await time.getAttribute("title"), /13:04 UTC/);
    await page.getByRole("button", { name: "Show UTC" }).click();
    assert.match(await time.textContent(), /13:04 UTC/);
  }),

  behaviour("ticks are counted, all at once too, and sent as a plain form", async (page, url) => {
    await page.goto(`${url}/batches.html`);
    await page.getByLabel(/^Batch /).nth(0).check();
    await page.getByLabel(/^Batch /).nth(2).check();
    assert.equal(await page.locator("[data-ticked]").textContent(), "2 batches ticked");
    await page.getByLabel("Tick all on this page").check();
    assert.equal(await page.locator("[data-ticked]").textContent(), "12 batches ticked");
    const [request] = await Promise.all([page.waitForRequest(/download/), page.getByRole("button", { name: "XLSX" }).click()]);
    assert.equal(request.method(), "POST");
    assert.equal(request.postData().match(/batch_ids=/g).length, 12);
    assert.match(request.postData(), /format=xlsx/);
  }),

  behaviour("a filter renews the list alone, and stands in the address", async (page, url) => {
    await page.goto(`${url}/batches.html`);
    await page.evaluate(() => (window.same = true));
    await page.getByLabel("State").selectOption("PROCESSING");
    await page.getByText("No batch fits this filter").waitFor();
    assert.ok(page.url().includes("state=PROCESSING"));
    assert.ok(await page.evaluate(() => window.same));
  }, (request, response) => request.url.startsWith("/batches?") && page(response, "batches-filtered-empty")),

  behaviour("whoever is sent to sign in gets the whole page", async (page, url) => {
    await page.goto(`${url}/batches.html`);
    await page.evaluate(() => (window.same = true));
    await page.getByLabel("State").selectOption("PROCESSING");
    await until(() => page.evaluate(() => window.same !== true).catch(() => false));
  }, (request, response) => {
    if (!request.url.startsWith("/batches?")) return false;
    response.writeHead(303, { Location: "/sign-in.html" }).end();
    return true;
  }),

  behaviour("progress comes live, is announced, and ends with the results", async (page, url) => {
    done = false;
    await page.goto(`${url}/batches/1`);
    await until(() => streams.length > 0);
    const stream = streams.pop();
    stream.write(event(live("batch").replace(/<strong>195<\/strong>/, "<strong>300</strong>").replace("60 percent", "90 percent")));
    await page.getByText("300", { exact: true }).waitFor();
    assert.equal(await page.locator("[data-announce]").textContent(), "90 percent done.");
    assert.doesNotMatch(await page.locator("#live time").first().textContent(), /UTC/);
    done = true;
    stream.write(event(live("batch-done")));
    stream.write(event("", "done").replace("data: \n", "data: done\n"));
    await page.locator("#live").getByText("Done").waitFor();
    await until(async () => !(await page.locator("#results").getAttribute("hx-get")));
    assert.equal(streams.length, 0, "a stream was opened again");
  }, streaming),

  behaviour("a lost stream is said, and comes back", async (page, url) => {
    done = false;
    page.on("console", () => {});
    await page.goto(`${url}/batches/1`);
    await until(() => streams.length > 0);
    streams.pop().destroy();
    await page.getByText("Live progress is interrupted").waitFor();
    await until(() => streams.length > 0);
    streams.pop().write(event(live("batch")));
    await page.getByText("Live progress is interrupted").waitFor({ state: "hidden" });
  }, streaming),

  behaviour("a file that is dropped is sent at once", async (page, url) => {
    await page.goto(`${url}/new-batch.html`);
    const data = await page.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(["a,b\n1,2\n"], "dropped.csv", { type: "text/csv" }));
      return data;
    });
    const [request] = await Promise.all([
      page.waitForRequest((request) => request.method() === "POST"),
      page.dispatchEvent("[data-drop]", "drop", { dataTransfer: data }),
    ]);
    assert.match(request.url(), /\/batches\/new$/);
    assert.match(request.headers()["content-type"], /multipart\/form-data/);
  }),

  behaviour("a line is copied", async (page, url) => {
    await page.goto(`${url}/keys-made.html`);
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByText("Copied").waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^tm_live_\w+$/);
  }, undefined, { permissions: ["clipboard-read", "clipboard-write"] }),

  behaviour("colours are chosen, at once and in a cookie", async (page, url, context) => {
    await page.goto(`${url}/batches.html`);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.locator(".who summary").click();
    await page.locator(".who").getByRole("button", { name: "Dark" }).click();
    assert.notEqual(await ground(), light);
    assert.equal((await context.cookies()).find(({ name }) => name === "tidemark-theme")?.value, "dark");
    assert.equal(await page.locator(".who").getByRole("button", { name: "Dark" }).getAttribute("aria-pressed"), "true");
  }),

  behaviour("the keyboard reaches the content first, and every control", async (page, url) => {
    await page.goto(`${url}/batches.html`);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "New batch");
  }),

  behaviour("an error summary has the focus and leads to its fields", async (page, url) => {
    await page.goto(`${url}/users-wrong.html`);
    assert.ok(await page.evaluate(() => document.activeElement.matches(".errors")));
    await page.getByRole("link", { name: "This is not an e-mail address" }).click();
    assert.equal(await page.evaluate(() => document.activeElement.id), "email");
  }),

  behaviour("without JavaScript everything that works is there, and nothing that does not", async (page, url) => {
    await page.goto(`${url}/batches.html`);
    assert.ok(await page.getByRole("button", { name: "Filter" }).isVisible());
    assert.ok(!(await page.getByLabel("Tick all on this page").isVisible()));
    await page.getByLabel(/^Batch /).first().check();
    const [request] = await Promise.all([page.waitForRequest(/download/), page.getByRole("button", { name: "CSV" }).first().click()]);
    assert.match(request.postData(), /batch_ids=.*format=csv/);
    await page.goto(`${url}/batch.html`);
    assert.ok(await page.getByRole("link", { name: "Refresh" }).first().isVisible());
    assert.match(await page.locator("#live time").first().textContent(), /UTC$/);
    assert.ok(!(await page.getByRole("button", { name: "Copy" }).isVisible()));
    await page.goto(`${url}/keys.html`);
    await page.getByText("Revoke").first().click();
    assert.ok(await page.getByRole("button", { name: "Revoke “Nightly import”" }).isVisible());
  }, undefined, { javaScriptEnabled: false }),
];
