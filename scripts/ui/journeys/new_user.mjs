// The way of somebody new, from the link to the downloaded file, with nothing but what the pages offer.

import assert from "node:assert/strict";
import fs from "node:fs";

import { chooseFile, firstVisit, submit } from "./acts.mjs";
import { downloaded, table } from "./files.mjs";

async function fromLinkToFile(windows, site) {
  await site.requester("New User");
  const jane = await site.invite("New User", "Jane Doe", "operator");
  const page = await windows.open();
  const began = performance.now();
  await firstVisit(page, jane);
  await page.getByRole("link", { name: "Submit the first batch" }).click();
  const sample = await downloaded(page, () => page.getByRole("link", { name: "A small file to try" }).click());
  await chooseFile(page, sample.name, sample.text);
  await page.getByRole("heading", { name: "5 of 6 records can be submitted" }).waitFor();
  const batch = await submit(page);
  await page.locator("#live").getByText("Done", { exact: true }).waitFor();
  const { name, text } = await downloaded(page, () => page.getByRole("button", { name: "Download CSV" }).click());
  const took = (performance.now() - began) / 1000;
  console.log(`from the link to the file: ${took.toFixed(2)} s`);

  assert.match(name, /^batch-export-\d{8}T\d{6}Z\.csv$/);
  const rows = table(text);
  assert.deepEqual(rows.map((row) => [row["Authorizer ID"], row.Balance, row.Status]), [
    ["loan-17", "2843.51", "SUCCESS"],
    ["loan-19", "-83.68", "SUCCESS"],
    ["loan-20", rows[2].Balance, "SUCCESS"],
    ["loan-21", "47.10", "SUCCESS"],
    ["loan-22", "", "ACCOUNT_CLOSED"],
  ]);
  for (const row of rows) assert.deepEqual([row["Batch ID"], row.Creator], [batch, "Jane Doe"]);
}

export const journeys = [["from the link to the downloaded file", fromLinkToFile]];
export const onPostgres = journeys;
