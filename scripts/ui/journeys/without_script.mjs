// The whole work of a day in a browser that runs no scripts.

import assert from "node:assert/strict";

import { COLUMNS, isAtTheDoor, record, signIn, submit } from "./acts.mjs";
import { csv, downloaded, records, table } from "./files.mjs";
import { until } from "./site.mjs";

async function upload(page, name, text) {
  await page.getByRole("link", { name: "New batch" }).first().click();
  await page.getByLabel("CSV file of authorizers").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
  await page.getByRole("button", { name: "Check the file" }).click();
}

/** Looks again until the batch is done. */
async function finished(page) {
  assert.ok(await page.locator("noscript .hint").first().isVisible(), "nothing says that the page stands still");
  await until(async () => {
    await page.getByRole("link", { name: "Refresh" }).first().click();
    return page.locator("#live").getByText("Done", { exact: true }).isVisible();
  });
}

async function everythingWithoutScript(windows, site) {
  await site.requester("No Script");
  const ada = await site.person("No Script", "Ada Admin", "admin");
  const page = await windows.open(undefined, { javaScriptEnabled: false });
  await page.goto("/keys");
  await signIn(page, ada);
  await page.getByRole("heading", { name: "API keys" }).waitFor();
  await page.getByLabel("Name").fill("Nightly import");
  await page.getByRole("button", { name: "Make the key" }).click();
  const key = await page.getByLabel("API key", { exact: true }).innerText();
  assert.equal((await site.ask("/v1/balance_requests", { key })).status, 200);

  const slow = { account: "7710442290139013" };
  await upload(page, "people.csv", csv([COLUMNS, record("n-1"), record("n-2", { ssn: "1" }), record("n-3", slow)]));
  await page.getByRole("heading", { name: "2 of 3 records can be submitted" }).waitFor();
  const failed = await downloaded(page, () => page.getByRole("link", { name: "Download the rows to mend" }).click());
  const first = await submit(page);
  await finished(page);
  const [header, row] = records(failed.text);
  row[header.indexOf("ssn")] = "000-12-3457";
  await upload(page, failed.name, csv([header, row]));
  await page.getByRole("heading", { name: "All 1 record can be submitted" }).waitFor();
  const second = await submit(page);

  await site.finished(key, second);
  await page.getByRole("link", { name: "Batches" }).first().click();
  for (const id of [first, second]) await page.getByLabel(`Batch ${id}`).check();
  const file = await downloaded(page, () => page.locator(".actionbar").getByRole("button", { name: "Download CSV" }).click());
  assert.deepEqual(table(file.text).map((row) => [row["Authorizer ID"], row.Status, row.Creator]).sort(),
    ["n-1", "n-2", "n-3"].map((id) => [id, "SUCCESS", "Ada Admin"]));
  await page.getByLabel("State").selectOption("PROCESSING");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("No batch fits this filter").waitFor();

  await page.locator(".who summary").click();
  await page.locator(".who").getByRole("button", { name: "Sign out" }).click();
  await isAtTheDoor(page, "You are signed out.");
  await page.goto("/batches");
  await isAtTheDoor(page);
}

export const journeys = [["without JavaScript everything from signing in to the downloaded file works", everythingWithoutScript]];
