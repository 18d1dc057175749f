// A key for a program: made, shown once, used, revoked.

import assert from "node:assert/strict";

async function keyOfAProgram(windows, site) {
  await site.requester("Keys");
  const ada = await site.person("Keys", "Ada Admin", "admin");
  const page = await windows.open(ada, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto("/keys");
  await page.getByText("No API keys").waitFor();
  await page.getByLabel("Name").fill("Nightly import");
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByText("This is the only time you see it.").waitFor();
  const key = await page.getByLabel("API key", { exact: true }).innerText();
  assert.match(key, /^tm_live_\w{20,}$/);
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);

  const answer = await site.ask("/v1/balance_requests", { key });
  assert.deepEqual([answer.status, JSON.parse(answer.text).batches], [200, []]);
  await page.getByRole("link", { name: "I have kept it" }).click();
  await page.getByRole("cell", { name: "Nightly import" }).or(page.getByRole("rowheader", { name: "Nightly import" })).waitFor();
  for (const seen of ["/keys", "/activity", "/keys"]) {
    await page.goto(seen);
    assert.ok(!(await page.content()).includes(key), `the key stands on ${seen}`);
  }

  await page.getByText("Revoke", { exact: false }).first().click();
  await page.getByRole("button", { name: "Revoke “Nightly import”" }).click();
  await page.getByText("The key is revoked. Whoever uses it is refused from now on.").waitFor();
  const refused = await site.ask("/v1/balance_requests", { key });
  assert.deepEqual([refused.status, JSON.parse(refused.text).error.code], [401, "UNAUTHORIZED"]);
  assert.equal(await page.getByRole("button", { name: "Revoke “Nightly import”" }).count(), 0);
}

export const journeys = [["an API key is shown once, works, and is refused as soon as it is revoked", keyOfAProgram]];
