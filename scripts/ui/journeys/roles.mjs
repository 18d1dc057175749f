// What each role sees, and that nothing behind it opens by other means.

import assert from "node:assert/strict";

import { COLUMNS, isAtTheDoor, record, statusOf } from "./acts.mjs";
import { csv } from "./files.mjs";

const MENUS = {
  viewer: ["Overview", "Batches"],
  operator: ["Overview", "Batches", "New batch"],
  admin: ["Overview", "Batches", "New batch", "API keys", "Users", "Activity"],
};
const AUTHORIZER = { authorizer_unique_id: "r-1", phone_number: "5125550142", ssn: "000-12-3456", account_number: "BAL100", routing_number: "026009593" };

/** One requester with a user of each role, a batch and a key. */
async function staff(site, requester) {
  await site.requester(requester);
  const key = await site.key(requester);
  const batch = await site.submit(key, [AUTHORIZER]);
  await site.finished(key, batch);
  const people = Object.fromEntries(await Promise.all(Object.keys(MENUS).map(async (role) =>
    [role, await site.person(requester, `Roland ${role}`, role)])));
  return { key, batch, ...people };
}

/** What a script in the page gets for a form that no page of this user has; cookies and headers are the browser's own. */
const forged = (page, address, fields) => page.evaluate(async ([address, fields]) => {
  const body = fields.file ? new FormData() : new URLSearchParams(fields);
  if (fields.file) body.set("file", new Blob([fields.file], { type: "text/csv" }), "people.csv");
  const { status, redirected } = await fetch(address, { method: "POST", body });
  return redirected ? "redirected" : status;
}, [address, fields]);

/** What an administrator sees of everything that a forged form could have changed. */
async function everything(page, batch) {
  const texts = [];
  for (const address of ["/users", "/keys", "/batches", `/batches/${batch}`]) {
    await page.goto(address);
    texts.push(await page.locator("main tbody tr").allInnerTexts());
  }
  return JSON.stringify(texts);
}

async function rolesSeeAndDoTheirOwn(windows, site) {
  const { admin, batch, key, ...people } = await staff(site, "Roles");
  const ruler = await windows.open(admin);
  const pages = { viewer: await windows.open(people.viewer), operator: await windows.open(people.operator) };
  const before = await everything(ruler, batch);
  await ruler.goto("/users");
  const operator = await ruler.getByRole("row", { name: /Roland operator/ }).locator("form[action$='/role']").getAttribute("action");
  for (const [role, forbidden] of [["viewer", ["/batches/new", "/keys", "/users", "/activity"]], ["operator", ["/keys", "/users", "/activity"]]]) {
    const page = pages[role];
    assert.equal(await statusOf(page, "/"), 200);
    const menu = page.getByRole("navigation", { name: "Main" });
    const entries = menu.locator("ul:visible").getByRole("link");
    assert.deepEqual((await entries.allInnerTexts()).map((text) => text.trim()), MENUS[role]);
    for (const address of forbidden) {
      assert.equal(await statusOf(page, address), 403, `${role} ${address}`);
      await page.getByRole("heading", { name: "Your role does not allow this" }).waitFor();
    }
    await page.goto("/batches");
    assert.equal(await page.getByRole("link", { name: "New batch" }).count() > 0, role === "operator");
    const file = csv([COLUMNS, record("forged")]);
    const forms = [
      ["/keys", { name: "mine" }],
      ["/users", { name: "Mine", email: "mine@roles.example", role: "admin" }],
      ["/users/second-factor", { required: "on" }],
      [operator, { role: "admin" }],
      [operator.replace(/role$/, "disable"), {}],
      [operator.replace(/role$/, "reset"), {}],
      ...(role === "viewer" ? [["/batches/new", { file }]] : []),
    ];
    for (const [address, fields] of forms) assert.equal(await forged(page, address, fields), 403, `${role} ${address}`);
  }
  assert.equal(await everything(ruler, batch), before);
  // The same forms, sent by somebody who may, do change it: so what is compared would have shown them.
  assert.equal(await forged(ruler, operator, { role: "viewer" }), "redirected");
  assert.notEqual(await everything(ruler, batch), before);
}

async function othersDoNotExist(windows, site) {
  const [theirs, ours] = [await staff(site, "Others"), await staff(site, "Ours")];
  const page = await windows.open(ours.admin);
  for (const address of [`/batches/${theirs.batch}`, `/batches/${theirs.batch}/live`, `/authorizers/${theirs.batch}/1`]) {
    assert.equal(await statusOf(page, address), 404, address);
    await page.getByRole("heading", { name: "This page does not exist" }).waitFor();
  }
  assert.equal(await statusOf(page, `/batches/${ours.batch}`), 200);
  for (const format of ["csv", "xlsx"]) {
    assert.equal(await forged(page, "/batches/download", { batch_ids: theirs.batch, format }), 404);
    assert.equal(await forged(page, "/batches/download", { batch_ids: ours.batch, format }), 200);
  }
  await page.goto("/batches");
  await page.getByLabel("Find a batch or an authorizer by its id").fill(theirs.batch);
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByText("Nothing has this id.").waitFor();
  await page.getByLabel("Find a batch or an authorizer by its id").fill(ours.batch);
  await page.getByRole("button", { name: "Find" }).click();
  await page.waitForURL(`**/batches/${ours.batch}`);
}

async function keysAndCookiesKeepToTheirOwn(windows, site) {
  const { admin, batch, key } = await staff(site, "Keys And Cookies");
  for (const address of ["/", "/batches", `/batches/${batch}`, "/keys"]) {
    const answer = await site.ask(address, { key });
    assert.deepEqual([answer.status, answer.headers.location.split("?")[0]], [303, "/sign-in"], address);
  }
  const program = await windows.open(undefined, { extraHTTPHeaders: { Authorization: `Bearer ${key}` } });
  await program.goto("/batches");
  await isAtTheDoor(program);

  const page = await windows.open(admin);
  await page.goto("/");
  for (const address of ["/v1/balance_requests", `/v1/balances?batch_id=${batch}`, `/v1/balances/csv?batch_ids=${batch}`, `/v1/balance_requests/${batch}`]) {
    assert.equal(await page.evaluate(async (address) => (await fetch(address)).status, address), 401, address);
    assert.equal((await site.ask(address, { key })).status, 200, address);
  }
  assert.equal(await statusOf(page, `/v1/balance_requests/${batch}`), 401);
}

export const journeys = [
  ["each role sees its menu, and neither pages nor forged forms give it more", rolesSeeAndDoTheirOwn],
  ["what another organisation has does not exist", othersDoNotExist],
  ["a key opens no page, and a session nothing of the API", keysAndCookiesKeepToTheirOwn],
];
