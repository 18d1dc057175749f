// What people do on several journeys, and the file that they have.

import assert from "node:assert/strict";

export const COLUMNS = ["authorizer_unique_id", "first_name", "phone_number", "zip_code", "ssn", "account_number", "routing_number", "meta_note"];

/** A record of [COLUMNS] that passes, but for what is said otherwise. The bank asks for time twice before it answers for an
 * account that ends in 9013, about four seconds in all. */
export function record(id, { phone = "5125550142", zip = "00901", ssn = "000-12-3456", account = "BAL2843.51", routing = "026009593", note = "" } = {}) {
  return [id, "Jane", phone, zip, ssn, account, routing, note];
}

/** Fills in the door's form. */
export async function signIn(page, { email, password }) {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Follows the one-time link up to the overview. */
export async function firstVisit(page, person) {
  await page.goto(person.link);
  await page.getByLabel("New password").fill(person.password);
  await page.getByLabel("The same again").fill(person.password);
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByText("Your password is set. Sign in with it.").waitFor();
  await signIn(page, person);
}

/** Chooses a file as people do, and sends it. */
export async function chooseFile(page, name, text) {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByLabel("CSV file of authorizers").click()]);
  await chooser.setFiles({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
  await page.getByRole("button", { name: "Check the file" }).click();
  await page.getByRole("heading", { name: "What was found" }).waitFor();
}

/** Drops a file where files are dropped. */
export async function dropFile(page, name, text) {
  const dataTransfer = await page.evaluateHandle(([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: "text/csv" }));
    return data;
  }, [name, text]);
  await page.dispatchEvent("[data-drop]", "dragenter", { dataTransfer });
  await page.dispatchEvent("[data-drop]", "drop", { dataTransfer });
  await page.getByRole("heading", { name: "What was found" }).waitFor();
}

/** Submits what is good, and returns the batch's id. */
export async function submit(page) {
  await page.getByRole("button", { name: /^Submit the / }).click();
  await page.waitForURL(/\/batches\/[\da-f-]{36}(\?|$)/);
  return new URL(page.url()).pathname.split("/")[2];
}

/** The texts of a table's cells, row by row. */
export const cells = (page, name) => page.getByRole("table", { name }).locator("tbody tr").evaluateAll((rows) =>
  rows.map((row) => [...row.cells].map((cell) => cell.innerText.replaceAll(/\s+/g, " ").trim())));

/** The status of the page that an address leads to. */
export async function statusOf(page, address) {
  return (await page.goto(address)).status();
}

/** Asserts that the page is the door, and why. */
export async function isAtTheDoor(page, why) {
  await page.waitForURL(/\/sign-in(\?|$)/);
  if (why) await page.getByText(why).waitFor();
  assert.equal(await page.getByRole("navigation").count(), 0, "the door has a menu");
}
