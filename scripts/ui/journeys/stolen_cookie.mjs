// Somebody else has a copy of the session's cookie, until the password is changed.

import assert from "node:assert/strict";

import { isAtTheDoor, statusOf } from "./acts.mjs";

/** The status of the next stream that a page opens. */
const stream = async (page) => (await page.waitForResponse((response) => response.url().endsWith("/live"))).status();

async function aCopyEndsWithThePassword(windows, site) {
  await site.requester("Stolen");
  const key = await site.key("Stolen");
  const account = { phone_number: "5125550142", ssn: "000-12-3456", account_number: "BAL1", routing_number: "026009593" };
  await site.finished(key, await site.submit(key, [{ authorizer_unique_id: "s-1", ...account }]));
  const jane = await site.person("Stolen", "Jane Doe", "operator");
  const owner = await windows.open(jane);
  await owner.goto("/account");
  const [cookie] = (await owner.context().cookies()).filter(({ name }) => name === "__Host-tidemark");
  const elsewhere = await windows.open(jane);
  assert.equal(await statusOf(elsewhere, "/batches"), 200);
  const thief = await windows.open();
  await thief.context().addCookies([cookie]);
  assert.equal(await statusOf(thief, "/batches"), 200);

  windows.expected = (message) => /htmx:sse:error/.test(message.text());
  const [opened] = await Promise.all([stream(thief), thief.goto("/")]);
  assert.equal(opened, 200);
  await owner.getByLabel("Current password").fill(jane.password);
  await owner.getByLabel("New password").fill("another harbour with ten boats");
  await owner.getByLabel("The same again").fill("another harbour with ten boats");
  // Its stream ends with its session and is refused when it comes again, and the page gives way to the door.
  const refused = stream(thief);
  await owner.getByRole("button", { name: "Change the password" }).click();
  await owner.getByText("Your password is changed. Every other session of yours has ended.").waitFor();
  assert.equal(await refused, 401);
  await isAtTheDoor(thief, "Your session has ended.");

  await thief.context().addCookies([cookie]);
  await thief.goto("/batches");
  await isAtTheDoor(thief, "Your session has ended.");
  await elsewhere.goto("/batches");
  await isAtTheDoor(elsewhere, "Your session has ended.");
  assert.equal(await statusOf(owner, "/batches"), 200, "the owner is still in");
  const old = await site.ask("/sign-in", { form: { email: jane.email, password: jane.password } });
  assert.equal(old.status, 422, "the old password");
}

export const journeys = [["a copy of the cookie is worth nothing once the password is changed, and its live page closes", aCopyEndsWithThePassword]];
