// How the Tab key goes through a page: to every control, in the order in which they stand, with the focus to be seen.

/** Records whatever gets the focus, and says what should. */
function begin() {
  const radios = new Set();
  const isTurn = (radio) => {
    // Of a group of radio buttons, Tab reaches the checked one.
    const group = [...document.querySelectorAll(`input[type=radio][name="${radio.name}"]`)];
    const one = group.find(({ checked }) => checked) ?? group[0];
    return one === radio && !radios.has(radio.name) && radios.add(radio.name);
  };
  const controls = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const all = [...document.querySelectorAll(controls)].filter((control) => !control.disabled && control.tabIndex >= 0 &&
    control.checkVisibility({ visibilityProperty: true }) && (control.type !== "radio" || isTurn(control)));
  const name = (control) => `${control.tagName.toLowerCase()} ${(control.innerText || control.getAttribute("aria-label") || control.name || "").trim().slice(0, 40)}`;
  const names = all.map(name);
  window.passed = [];
  window.invisible = [];
  addEventListener("focusin", ({ target }) => {
    const no = all.indexOf(target);
    // A live part may have been renewed meanwhile: then it is another element of the same name.
    window.passed.push(no >= 0 ? no : names.findIndex((one, no) => one === name(target) && !window.passed.includes(no)));
    const { outlineStyle, outlineWidth } = getComputedStyle(target);
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 1) window.invisible.push(name(target));
  });
  all[0].focus({ focusVisible: true });
  return { first: all[0].className, names };
}

/** What is wrong with the way through a page. */
export async function pass(page) {
  const faults = [];
  const { first, names } = await page.evaluate(begin);
  if (first !== "skip") return [`the first control is ${names[0]}, and not the skip link`];
  // Date fields are several stops each.
  const stops = names.length + 3 * await page.locator("input[type=date]").count();
  for (let press = 1; press < stops; press++) await page.keyboard.press("Tab");
  const { passed, invisible } = await page.evaluate(() => ({ passed: window.passed, invisible: window.invisible }));
  const order = passed.filter((no, at) => at === 0 || no !== passed[at - 1]);
  for (const [no, name] of names.entries()) {
    if (!order.includes(no)) faults.push(`Tab never reaches ${name}`);
    else if (order.indexOf(no) !== no) faults.push(`Tab reaches ${name} as number ${order.indexOf(no) + 1}, and it stands as ${no + 1}`);
  }
  for (const name of invisible) faults.push(`the focus cannot be seen on ${name}`);
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const skipped = await page.evaluate(() => Boolean(document.activeElement.closest("main")) || !document.querySelector("main :is(a, button, input)"));
  if (!skipped) faults.push("the skip link does not lead to the content");
  return faults;
}
