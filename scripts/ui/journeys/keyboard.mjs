// How the Tab key goes through a page: to every control, in the order in which they stand, with the focus to be seen.

/** Records whatever gets the focus, and says what should. */
function begin() {
  const isTurn = (radio, radios) => {
    // Of a group of radio buttons, Tab reaches the checked one.
    const group = [...document.querySelectorAll(`input[type=radio][name="${radio.name}"]`)];
    const one = group.find(({ checked }) => checked) ?? group[0];
    return one === radio && !radios.has(radio.name) && radios.add(radio.name);
  };
  const controls = () => {
    const radios = new Set();
    const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    return [...document.querySelectorAll(all)].filter((control) => !control.disabled && control.tabIndex >= 0 &&
      control.checkVisibility({ visibilityProperty: true }) && (control.type !== "radio" || isTurn(control, radios)));
  };
  const name = (control) => `${control.tagName.toLowerCase()} ${(control.innerText || control.getAttribute("aria-label") || control.name || "").trim().slice(0, 40)}`;
  const all = controls();
  const names = all.map(name);
  const passed = [];
  const invisible = [];
  const listener = new AbortController();
  addEventListener("focusin", ({ target }) => {
    const no = all.indexOf(target);
    // A live part may have been renewed meanwhile: then it is another element of the same name.
    passed.push(no >= 0 ? no : names.findIndex((one, no) => one === name(target) && !passed.includes(no)));
    const { outlineStyle, outlineWidth } = getComputedStyle(target);
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 1) invisible.push(name(target));
  }, listener);
  window.endPass = () => {
    listener.abort();
    return { passed, invisible, after: controls().map(name) };
  };
  all[0].focus({ focusVisible: true });
  return { first: all[0].className, names };
}

/** Where the Tab key went, through a page whose controls were the same before and after. */
async function tabbed(page) {
  for (let go = 1; ; go++) {
    const { first, names } = await page.evaluate(begin);
    // Date fields are several stops each.
    const stops = names.length + 3 * await page.locator("input[type=date]").count();
    for (let press = 1; press < stops; press++) await page.keyboard.press("Tab");
    const { after, ...rest } = await page.evaluate(() => window.endPass());
    // A live part got or lost a control under way, as when a batch is done: what stands there now has to be gone through.
    if (go === 3 || after.join("\n") === names.join("\n")) return { first, names, ...rest };
  }
}

/** What is wrong with the way through a page. */
export async function pass(page) {
  const faults = [];
  const { first, names, passed, invisible } = await tabbed(page);
  if (first !== "skip") return [`the first control is ${names[0]}, and not the skip link`];
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
