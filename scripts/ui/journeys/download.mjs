// Three batches become one file, in either form.

import assert from "node:assert/strict";

import { COLUMNS, chooseFile, record, submit } from "./acts.mjs";
import { csv, downloaded, records, sheet, table } from "./files.mjs";

const HEADER = ["Authorizer ID", "Batch ID", "Institution", "Phone", "Zip", "Balance", "Status", "Creator", "Timestamp", "meta_note"];
const FORMULA = '=HYPERLINK("https://elsewhere.example","€")';
const NOTES = ["007", FORMULA, "two\nlines, \"quoted\""];

/** Four batches of Jane's with two results each, the oldest first. */
async function batches(page) {
  const ids = [];
  for (let no = 1; no <= 4; no++) {
    await page.goto("/batches/new");
    await chooseFile(page, `${no}.csv`, csv([
      COLUMNS,
      record(`d-${no}-1`, { note: NOTES[no - 1], zip: "02134" }),
      record(`d-${no}-2`, { account: "44173890019001" }),
    ]));
    ids.push(await submit(page));
    await page.locator("#live").getByText("Done", { exact: true }).waitFor();
  }
  return ids;
}

/** What a download button gives. */
const take = (page, name) => downloaded(page, () => page.locator(".actionbar").getByRole("button", { name }).click());

async function threeBatchesBecomeOneFile(windows, site) {
  await site.requester("Download");
  const jane = await site.person("Download", "Jane \"JD\" Doe, Sr.", "operator");
  const page = await windows.open(jane);
  const ids = await batches(page);
  const chosen = [ids[0], ids[1], ids[2]];
  await page.goto("/batches");
  await page.getByText("Tick batches to download them as one file").waitFor();
  for (const id of chosen) await page.getByLabel(`Batch ${id}`).check();
  await page.getByText("3 batches ticked").waitFor();

  const file = await take(page, "Download CSV");
  assert.match(file.name, /^batch-export-.*\.csv$/);
  const [header] = records(file.text);
  assert.deepEqual(header, HEADER);
  const rows = table(file.text);
  const order = rows.map((row) => row["Batch ID"]);
  assert.deepEqual(new Set(order), new Set(chosen));
  assert.deepEqual(rows.map((row) => row["Authorizer ID"]).sort(), ["d-1-1", "d-1-2", "d-2-1", "d-2-2", "d-3-1", "d-3-2"]);
  for (const row of rows) {
    const isFirst = row["Authorizer ID"].endsWith("-1");
    assert.deepEqual([row.Creator, row.Phone, row.Zip, row.Status, row.Balance],
      ["Jane \"JD\" Doe, Sr.", "+15125550142", isFirst ? "02134" : "00901", isFirst ? "SUCCESS" : "NO_MATCH", isFirst ? "2843.51" : ""]);
  }
  const note = (id) => rows.find((row) => row["Authorizer ID"] === id).meta_note;
  assert.deepEqual([note("d-1-1"), note("d-2-1"), note("d-3-1"), note("d-1-2")], ["007", `'${FORMULA}`, NOTES[2], ""]);

  const workbook = await take(page, "Download XLSX");
  assert.match(workbook.name, /^batch-export-.*\.xlsx$/);
  const { rows: lines, xml } = sheet(workbook.bytes);
  assert.doesNotMatch(xml, /<f[\s>/]/, "a formula");
  assert.deepEqual(lines[0].map(({ value }) => value), HEADER);
  assert.equal(lines.length, 7);
  const letters = "ABCDEFGHIJ";
  for (const [no, line] of lines.slice(1).entries()) {
    const expected = HEADER.map((name) => (name === "meta_note" ? rows[no][name].replace(/^'=/, "=") : rows[no][name]));
    const values = Object.fromEntries(line.map(({ column, value }) => [letters.indexOf(column), value]));
    assert.deepEqual(HEADER.map((_, column) => values[column] ?? ""), expected);
    for (const { column, isText, value } of line) assert.equal(isText, HEADER[letters.indexOf(column)] !== "Balance", value);
  }
  assert.deepEqual(lines.flatMap((line) => line.filter(({ value }) => value === FORMULA)).map(({ isText }) => isText), [true]);
}

export const journeys = [["three ticked batches become one CSV file and one workbook", threeBatchesBecomeOneFile]];
