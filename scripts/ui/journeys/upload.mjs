// A file with faults is mended, submitted, and followed until its results are there.

import assert from "node:assert/strict";

import { COLUMNS, cells, chooseFile, dropFile, record, submit } from "./acts.mjs";
import { csv, downloaded, records } from "./files.mjs";

const SLOW = "7710442290139013";
const PRIVATE = ["000-12-3456", "000123456", "5125550142", "512-555-0142", "(512) 555-0142", SLOW, "7710442290130001"];
const FILE = csv([
  COLUMNS,
  record("m-1"),
  record("m-2", { ssn: "000-12-345" }),
  record("m-3", { account: "7710442290130001" }),
  record("m-4", { phone: "555-0142", routing: "12" }),
  record("m-1", { account: SLOW }),
  record("m-6", { account: SLOW, note: 'says "hello", twice' }),
]);
const ID = "stands in an earlier row already; only its first occurrence counts";

/** Every page that comes, as it came. */
function read(context) {
  const pages = [];
  context.on("response", (response) => {
    const type = response.headers()["content-type"] ?? "";
    if (type.startsWith("text/html")) pages.push(response.text().catch(() => ""));
  });
  return () => Promise.all(pages);
}

function mended(text) {
  const [header, ...rows] = records(text);
  const at = (name) => header.indexOf(name);
  assert.deepEqual(header, ["error_field", "error_code", "error_message", ...COLUMNS]);
  assert.deepEqual(rows.map((row) => [row[at("authorizer_unique_id")], row[at("error_field")]]),
    [["m-2", "ssn"], ["m-4", "routing_number; phone_number"], ["m-1", "authorizer_unique_id"]]);
  assert.equal(rows[0][at("ssn")], "000-12-345", "the row is as it came");
  rows[0][at("ssn")] = "000-12-3457";
  rows[1][at("phone_number")] = "5125550143";
  rows[1][at("routing_number")] = "026009593";
  rows[2][at("authorizer_unique_id")] = "m-5";
  return csv([header, ...rows]);
}

/** Watches the batch on its page until it is done; a page that was loaded again would have lost the mark. */
async function watch(page, results) {
  let loads = 0;
  page.on("request", (request) => request.isNavigationRequest() && loads++);
  await page.evaluate(() => (window.mark = "here"));
  await page.locator("#live").getByText("Running", { exact: true }).waitFor();
  await page.getByText(`${results - 1} of ${results} results`).waitFor();
  await page.locator("#live").getByText("Done", { exact: true }).waitFor();
  await page.getByText(`${results} of ${results} results`).waitFor();
  await page.getByText(`1–${results} of ${results}`, { exact: false }).waitFor();
  assert.equal(await page.locator("[data-announce]").textContent(), `Done: ${results} results.`);
  assert.deepEqual([loads, await page.evaluate(() => window.mark)], [0, "here"], "the page was loaded again");
}

async function fromFaultsToResults(windows, site) {
  await site.requester("Upload");
  const jane = await site.person("Upload", "Jane Doe", "operator");
  const page = await windows.open(jane);
  const pages = read(page.context());
  await page.goto("/batches/new");
  await chooseFile(page, "people.csv", FILE);
  await page.getByRole("heading", { name: "3 of 6 records can be submitted" }).waitFor();
  assert.deepEqual(await cells(page, /^Faults/), [
    ["3", "m-2", "ssn", "ssn must be 9 digits or NNN-NN-NNNN"],
    ["5", "m-4", "routing_number", "routing_number must be 9 digits"],
    ["5", "m-4", "phone_number", "phone_number must be 10 digits, or +1 and 10 digits"],
    ["6", "m-1", "authorizer_unique_id", `authorizer_unique_id ${ID}`],
  ]);
  const failed = await downloaded(page, () => page.getByRole("link", { name: "Download the rows to mend" }).click());
  assert.match(failed.name, /^failed-records-.*\.csv$/);
  const good = await submit(page);
  await page.getByText("The batch is submitted.").waitFor();
  await watch(page, 3);

  await page.getByRole("link", { name: "New batch" }).first().click();
  await dropFile(page, failed.name, mended(failed.text));
  await page.getByRole("heading", { name: "All 3 records can be submitted" }).waitFor();
  const second = await submit(page);
  assert.notEqual(second, good);
  await watch(page, 3);
  const shown = await cells(page, /^Results, in the order/);
  assert.deepEqual(shown.map((row) => row.slice(0, 5)).sort(), [
    ["m-2", "Bank of America", "•• ends in 0142", "$2,843.51", "Success"],
    ["m-4", "Bank of America", "•• ends in 0143", "$2,843.51", "Success"],
    ["m-5", "Bank of America", "•• ends in 0142", shown.at(-1)[3], "Success"],
  ]);
  await page.getByRole("link", { name: "m-4" }).click();
  await page.getByRole("heading", { name: "m-4", level: 1 }).waitFor();
  await page.goto("/batches");
  await page.goto("/");
  const all = [...await pages(), await page.content()];
  assert.ok(all.length >= 9, `${all.length} pages were read`);
  for (const html of all) {
    for (const value of PRIVATE) assert.ok(!html.includes(value), `${value} stands in a page: ${html.match(/<title>.*/)}`);
  }
}

/** A part that is renewed under somebody's hands must not take the focus away. */
async function theFocusStays(windows, site) {
  await site.requester("Focus");
  const jane = await site.person("Focus", "Jane Doe", "operator");
  const page = await windows.open(jane);
  await page.goto("/batches/new");
  await chooseFile(page, "slow.csv", csv([COLUMNS, record("s-1"), record("s-2", { account: SLOW }), record("s-3", { account: "7710442290139012" })]));
  await submit(page);
  const other = await page.context().newPage();
  await other.goto("/");
  const [table, link] = [page.getByRole("group", { name: "Results by status" }), other.locator("#live").getByRole("link")];
  await Promise.all([page.getByText("1 of 3 results").waitFor(), other.getByText("1 of 3").waitFor()]);
  await Promise.all([table.focus(), link.focus()]);
  await Promise.all([page.getByText("2 of 3 results").waitFor(), other.getByText("2 of 3").waitFor()]);
  for (const one of [table, link]) assert.ok(await one.evaluate((one) => one === document.activeElement), `the focus left ${one}`);
}

export const journeys = [
  ["a file with faults is mended, submitted and followed live, and shows nothing private", fromFaultsToResults],
  ["the focus stays where it is while a live part is renewed", theFocusStays],
];
