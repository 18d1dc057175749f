// What must hold of every page, whoever made it: accessibility (axe-core), no overflow, targets that a finger can hit.

import { require } from "./browser.mjs";

const axe = require("axe-core");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What a finger must hit, and is too small for it. Links within text are as high as the text. */
function smallTargets() {
  const small = [];
  for (const target of document.querySelectorAll("button, .button, summary, select, input:not([type=hidden]), nav.menu a, .account-menu a")) {
    if (!target.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true })) continue;
    const box = (target.closest("label") ?? target).getBoundingClientRect();
    if (box.width > 0 && box.height > 0 && (box.height < 43.5 || box.width < 43.5)) {
      small.push(`a target of ${Math.round(box.width)}×${Math.round(box.height)}: ${target.outerHTML.slice(0, 80)}`);
    }
  }
  return small;
}

/** Everything that is folded away but the menu, which would cover the rest. */
const unfold = () => document.querySelectorAll("details:not(.more)").forEach((details) => (details.open = true));

const EVERYTHING = { runOnly: TAGS, rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] };
const COLOURS = { runOnly: { type: "rule", values: ["color-contrast"] }, resultTypes: ["violations"] };

/**
 * The faults of a page that is open, in the state in which it is; with `fingers`, those of a phone's too, and with
 * `coloursAlone`, none but those that a second theme can have.
 */
export async function inspect(page, { fingers = false, coloursAlone = false, prepare = async () => {} }) {
  const faults = [];
  await page.evaluate(unfold);
  await prepare();
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const options = coloursAlone ? COLOURS : EVERYTHING;
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), options);
  for (const { id, nodes } of violations) {
    for (const node of nodes) faults.push(`${id}: ${node.html.slice(0, 110)} ${node.any[0]?.message ?? ""}`);
  }
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) faults.push(`${over} pixels wider than the window`);
  if (fingers) faults.push(...await page.evaluate(smallTargets));
  return faults;
}

/** Collects in `faults` what the page's console and scripts complain of, until the function that it returns is called. */
export function listen(page, faults, isExpected = () => false) {
  const hear = (message) => {
    if (["error", "warning"].includes(message.type()) && !isExpected(message)) faults.push(`console: ${message.text()}`);
  };
  const fail = (error) => faults.push(`script: ${error.message}`);
  page.on("console", hear).on("pageerror", fail);
  return () => page.off("console", hear).off("pageerror", fail);
}
