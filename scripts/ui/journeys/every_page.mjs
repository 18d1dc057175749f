// Every page in every look, as the server makes it and with what it loads: accessibility, weight on a cold cache, and how the
// keyboard goes through it. Pages come from a list, and from following every link of those.

import assert from "node:assert/strict";

import { inspect } from "../inspect.mjs";
import { tell } from "../report.mjs";
import { COLUMNS, record, signIn } from "./acts.mjs";
import { csv, downloaded } from "./files.mjs";
import { pass } from "./keyboard.mjs";
import { App } from "./totp.mjs";

const HEAVIEST = 150 * 1024;
const PHONE = { phone_number: "5125550142", ssn: "000-12-3456", routing_number: "026009593" };
const ACCOUNTS = ["BAL2843.51", "BAL-83.68", "BAL0", "44173890019001", "44173890019005", "44173890019006", "44173890019008"];

const button = (page, name) => page.getByRole("button", { name, exact: true });

/** A requester with something on every page of it, and people for one width. */
async function grounds(site) {
  await site.requester("Every Page");
  const key = await site.key("Every Page");
  const authorizers = ACCOUNTS.map((account_number, no) => ({ authorizer_unique_id: `e-${no}`, account_number, ...PHONE }));
  // Some of them twice, in a batch of its own: a page of an authorizer shows a course. The very same would be no new batch.
  const older = await site.submit(key, authorizers.slice(0, 3));
  await site.finished(key, older);
  const batch = await site.submit(key, authorizers);
  assert.notEqual(batch, older);
  await site.finished(key, batch);
  const running = await site.submit(key, [{ authorizer_unique_id: "e-slow", account_number: "44173890019012", ...PHONE }]);
  return { batch, running };
}

/** Pages at an address, with whose they are. */
const ADDRESSES = ({ batch, running, link }) => [
  ["nobody", "/sign-in"],
  ["nobody", "/sign-in?done=session-ended"],
  ["nobody", new URL(link).pathname],
  ["nobody", "/set-password/none"],
  ["nobody", "/nowhere"],
  ["viewer", "/"],
  ["viewer", "/keys"],
  ["admin", "/"],
  ["admin", "/?days=7"],
  ["admin", "/batches"],
  ["admin", "/batches?until=2020-01-01"],
  ["admin", `/batches/${batch}`],
  ["admin", `/batches/${batch}?status=RETRY_LIMIT`],
  ["admin", `/batches/${running}`],
  ["admin", `/authorizers/${batch}/1`],
  ["admin", "/batches/new"],
  ["admin", "/keys"],
  ["admin", "/users"],
  ["admin", "/activity"],
  ["admin", "/activity?until=2020-01-01"],
  ["admin", "/account"],
];

/** Pages that answer a form, in the order in which somebody comes to them. */
const ANSWERS = ({ enrolling, width }) => [
  ["nobody", "a wrong password", async (page) => {
    await page.goto("/sign-in");
    await signIn(page, { ...enrolling, password: "wrong" });
    await page.getByRole("alert").waitFor();
  }],
  ["admin", "a file that cannot be read", async (page) => {
    await page.goto("/batches/new");
    await page.getByLabel("CSV file of authorizers").setInputFiles({ name: "a.csv", mimeType: "text/csv", buffer: Buffer.from("a,b\n") });
    await button(page, "Check the file").click();
    await page.getByRole("alert").waitFor();
  }],
  ["admin", "what was found in a file", async (page) => {
    await page.goto("/batches/new");
    const file = csv([[...COLUMNS, "shoe_size"], [...record("f-1"), "42"], [...record("f-2", { ssn: "1" }), "42"]]);
    await page.getByLabel("CSV file of authorizers").setInputFiles({ name: "b.csv", mimeType: "text/csv", buffer: Buffer.from(file) });
    await button(page, "Check the file").click();
    await page.getByRole("heading", { name: "What was found" }).waitFor();
  }],
  ["admin", "an id that nothing has", async (page) => {
    await page.goto("/batches");
    await page.getByRole("searchbox").fill("none");
    await button(page, "Find").click();
    await page.getByText("Nothing has this id.").waitFor();
  }],
  ["admin", "a key that was made", async (page) => {
    await page.goto("/keys");
    await page.getByLabel("Name").fill(`Made at ${width}`);
    await button(page, "Make the key").click();
    await page.getByText("This is the only time you see it.").waitFor();
  }],
  ["admin", "the link of somebody new", async (page) => {
    await page.goto("/users");
    await page.getByLabel("Name", { exact: true }).fill("Nora New");
    await page.getByLabel("E-mail address").fill(`nora.${width}@every-page.example`);
    await button(page, "Add the user").click();
    await page.getByText("It is shown only now.").waitFor();
  }],
  ["enrolling", "a second factor to set up", async (page) => {
    await page.goto("/account");
    await page.getByLabel("Your password").fill(enrolling.password);
    await button(page, "Set it up").click();
    enrolling.app = new App(await page.locator(".secret").innerText());
  }],
  ["enrolling", "recovery codes", async (page) => {
    await page.getByLabel("Code", { exact: true }).fill(await enrolling.app.code());
    await button(page, "Switch it on").click();
    await page.getByRole("heading", { name: "The second factor is on" }).waitFor();
  }],
  ["nobody", "a code to enter", async (page) => {
    await page.goto("/sign-in");
    await signIn(page, enrolling);
    await page.getByRole("heading", { name: "Second factor" }).waitFor();
  }],
];

/** Counts what comes over the wire for a page, its cache being cold. */
async function scales(page) {
  const wire = await page.context().newCDPSession(page);
  await wire.send("Network.enable");
  await wire.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  wire.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  return { read: () => bytes, reset: () => (bytes = 0) };
}

/** The kind of page that an address leads to: ids and marks of a list make no other one. */
function kind(address) {
  const { pathname, searchParams } = new URL(address, "https://localhost");
  return [pathname.replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, "ID").replaceAll(/\/\d+/g, "/NO"), ...searchParams.keys()].join(" ");
}

/** Pages of this server that a page links to. */
const links = (page) => page.locator("a[href^='/']:not([download]):not([href$='.txt']):not([href$='.json'])").evaluateAll((all) =>
  all.map((a) => a.getAttribute("href").split("#")[0]));

const isDocumentation = (address) => address.startsWith("/docs");

class Walk {
  heaviest = { bytes: 0 };
  #seen = new Set();
  #found = new Map();

  constructor(windows, people, width) {
    Object.assign(this, { windows, people, width });
    this.pages = {};
  }

  async start() {
    for (const [who, person] of Object.entries(this.people)) {
      const page = await this.windows.open(person, { look: { width: this.width, theme: "light" } });
      this.pages[who] = { page, scales: await scales(page) };
    }
  }

  /** Looks at a page of somebody in both themes, at its weight, and at its way by keyboard. */
  async look(who, name, go) {
    const { page, scales } = this.pages[who];
    const faults = [];
    scales.reset();
    await go(page);
    // An answer to a form counts with the page that the form was on: too much rather than too little.
    const bytes = scales.read();
    if (bytes > HEAVIEST) faults.push(`${bytes} bytes over the wire`);
    if (bytes > this.heaviest.bytes) this.heaviest = { bytes, name };
    for (const link of await links(page)) if (!this.#found.has(kind(link))) this.#found.set(kind(link), [who, link]);
    // The documentation is of another kind, for people at a desk: hundreds of links, and no forms.
    const fingers = this.width < 500 && !isDocumentation(name);
    if (this.width > 500 && !isDocumentation(name)) faults.push(...await pass(page));
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      faults.push(...await inspect(page, { fingers, coloursAlone: colorScheme === "dark" }));
      tell(`${name} of ${who}, ${this.width}, ${colorScheme}`, faults.splice(0));
    }
    await page.emulateMedia({ colorScheme: "light" });
  }

  async address(who, address) {
    this.#seen.add(kind(address));
    await this.look(who, address, (page) => page.goto(address));
  }

  /** Follows what was linked to and not looked at yet, until there is nothing of that. */
  async rest() {
    const isNew = ([kind, [, address]]) => !this.#seen.has(kind) && (this.width > 500 || !isDocumentation(address));
    for (let next; (next = [...this.#found].find(isNew));) await this.address(...next[1]);
    return this.#seen;
  }
}

async function everyPageInEveryLook(windows, site) {
  const at = await grounds(site);
  const viewer = await site.person("Every Page", "Vera Viewer", "viewer");
  const admin = await site.person("Every Page", "Ada Admin", "admin");
  const { link } = await site.invite("Every Page", "Ivo Invited", "operator");
  const walks = await Promise.all([1280, 390].map(async (width) => {
    const enrolling = await site.person("Every Page", width > 500 ? "Erin Enrolling" : "Emil Enrolling", "operator");
    const walk = new Walk(windows, { nobody: undefined, viewer, admin, enrolling }, width);
    await walk.start();
    for (const [who, address] of ADDRESSES({ ...at, link })) await walk.address(who, address);
    for (const answer of ANSWERS({ enrolling, width })) await walk.look(...answer);
    const seen = await walk.rest();
    const expected = ["/", "/batches", "/batches/ID", "/authorizers/ID/NO", "/activity", ...(width > 500 ? ["/docs", "/docs/csv"] : [])];
    for (const kind of expected) assert.ok(seen.has(kind), `nobody came to ${kind}`);
    return walk;
  }));
  for (const { width, heaviest: { bytes, name } } of walks) console.log(`heaviest at ${width}: ${name}, ${(bytes / 1024).toFixed(1)} KiB`);
}

async function theKeyboardDownloads(windows, site) {
  await site.requester("Keyboard");
  const key = await site.key("Keyboard");
  await site.finished(key, await site.submit(key, [{ authorizer_unique_id: "k-1", account_number: "BAL1", ...PHONE }]));
  const page = await windows.open(await site.person("Keyboard", "Kim Keys", "viewer"));
  await page.goto("/batches");
  const reach = async (isIt) => {
    for (let presses = 0; !(await page.evaluate(isIt)); presses++) {
      assert.ok(presses < 60, `never reached: ${isIt}`);
      await page.keyboard.press("Tab");
    }
  };
  await reach(() => document.activeElement.name === "batch_ids");
  await page.keyboard.press("Space");
  await page.getByText("1 batch ticked").waitFor();
  await reach(() => document.activeElement.innerText === "Download CSV");
  const { text } = await downloaded(page, () => page.keyboard.press("Enter"));
  assert.match(text, /\nk-1,/);
  await reach(() => document.activeElement.matches(".who summary"));
  await page.keyboard.press("Enter");
  await reach(() => document.activeElement.innerText.trim() === "Sign out");
  await page.keyboard.press("Enter");
  await page.getByText("You are signed out.").waitFor();
}

export const journeys = [
  ["batches are ticked and downloaded by keyboard alone", theKeyboardDownloads],
  ["every page in every look", everyPageInEveryLook],
];
