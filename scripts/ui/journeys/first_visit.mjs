// From a colleague's invitation to the overview, with a second factor that everybody must have.

import assert from "node:assert/strict";

import { firstVisit, isAtTheDoor, signIn } from "./acts.mjs";
import { App } from "./totp.mjs";

const OVERVIEW = { name: "Overview", level: 1 };

async function enterCode(page, code) {
  await page.getByLabel("Code", { exact: true }).fill(code);
  await page.getByRole("button", { name: /^(Go on|Switch it on)$/ }).click();
}

async function signOut(page) {
  await page.locator(".who summary").click();
  await page.locator(".who").getByRole("button", { name: "Sign out" }).click();
  await isAtTheDoor(page, "You are signed out.");
}

/** An administrator asks everybody for a second factor, and invites Nadia; returns her with her link. */
async function invitation(page) {
  await page.goto("/users");
  await page.getByLabel("Name", { exact: true }).fill("Nadia Óğuz");
  await page.getByLabel("E-mail address").fill("nadia@first-visit.example");
  await page.getByLabel(/^Operator/).check();
  await page.getByRole("button", { name: "Add the user" }).click();
  const link = await page.getByLabel("Link", { exact: true }).innerText();
  await page.getByRole("link", { name: "I have sent it" }).click();
  assert.ok(!(await page.content()).includes(link), "the link is shown again");
  await page.getByRole("button", { name: "Require it" }).click();
  // The administrator is somebody too.
  await page.getByRole("heading", { name: "Set up a second factor" }).waitFor();
  return { email: "nadia@first-visit.example", password: "seven lanterns on the quay", link };
}

/** Sets the second factor up, as nothing else is possible; returns the app and the recovery codes. */
async function enrol(page) {
  await page.getByRole("heading", { name: "Set up a second factor" }).waitFor();
  assert.equal(await page.getByRole("navigation", { name: "Main" }).count(), 0);
  await page.goto("/batches");
  await page.getByRole("heading", { name: "Set up a second factor" }).waitFor();
  const app = new App(await page.locator(".secret").innerText());
  await enterCode(page, app.wrong());
  await page.getByText("This is not the code that the app shows now.").first().waitFor();
  assert.equal((await page.locator(".secret").innerText()).length, 39, "the secret is there for another try");
  await enterCode(page, await app.code());
  await page.getByRole("heading", { name: "The second factor is on" }).waitFor();
  const codes = await page.locator("#recovery-codes code").allInnerTexts();
  assert.equal(new Set(codes).size, 10);
  await page.getByRole("link", { name: "I have kept them" }).click();
  await page.getByRole("heading", OVERVIEW).waitFor();
  return { app, codes };
}

async function firstVisitWithASecondFactor(windows, site) {
  await site.requester("First Visit");
  const admin = await site.person("First Visit", "Ada Admin", "admin");
  const nadia = await invitation(await windows.open(admin));

  const page = await windows.open();
  await firstVisit(page, nadia);
  const { app, codes } = await enrol(page);
  // The codes were the answer to a form, and the browser was told to keep none of it: it says that it has no such page.
  await assert.rejects(page.goBack(), /ERR_CACHE_MISS/);
  await page.waitForURL(/^chrome-error:/);
  await page.goto("/account");
  await page.getByText("10 recovery codes left").waitFor();
  await signOut(page);
  await page.goto(nadia.link);
  await page.getByRole("heading", { name: "This link no longer works" }).waitFor();

  await page.goto("/batches");
  await isAtTheDoor(page);
  await signIn(page, nadia);
  const second = await app.code();
  await enterCode(page, second);
  await page.getByRole("heading", { name: "Batches", level: 1 }).waitFor();
  await signOut(page);

  await signIn(page, nadia);
  await enterCode(page, second);
  await page.getByRole("alert").getByText("The code is wrong or too old.").waitFor();
  await enterCode(page, codes[3].toLowerCase());
  await page.getByRole("heading", OVERVIEW).waitFor();
  await page.goto("/account");
  await page.getByText("9 recovery codes left").waitFor();
  await signOut(page);

  await signIn(page, nadia);
  await enterCode(page, codes[3]);
  await page.getByRole("alert").getByText("The code is wrong or too old.").waitFor();
  await page.goto("/batches");
  assert.equal(new URL(page.url()).pathname, "/sign-in/code", "a session without its code opens a page");
  await enterCode(page, await app.code());
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

export const journeys = [["a first visit leads past the second factor to the overview, and each code works once", firstVisitWithASecondFactor]];
