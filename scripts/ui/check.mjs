// Every page in every look, then every behaviour. One line for each failure.

import { behaviours } from "./behaviours.mjs";
import { LOOKS, launch, names, open, require, serve } from "./browser.mjs";

const axe = require("axe-core");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
let passed = 0, failed = 0;

function tell(what, faults) {
  if (faults.length === 0) {
    passed++;
    return;
  }
  failed++;
  for (const fault of faults) console.log(`FAIL ${what}: ${fault}`);
}

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

async function look(page, url, width) {
  const faults = [];
  const hear = (message) => ["error", "warning"].includes(message.type()) && faults.push(`console: ${message.text()}`);
  const fail = (error) => faults.push(`script: ${error.message}`);
  page.on("console", hear).on("pageerror", fail);
  await page.goto(url);
  await page.evaluate(unfold);
  if (url.endsWith("/batches.html") && width < 500) await page.locator(".more > summary").click();
  await page.evaluate(axe.source);
  const options = { runOnly: TAGS, rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] };
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), options);
  for (const { id, nodes } of violations) {
    for (const node of nodes) faults.push(`${id}: ${node.html.slice(0, 110)} ${node.any[0]?.message ?? ""}`);
  }
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) faults.push(`${over} pixels wider than the window`);
  if (width < 500) faults.push(...await page.evaluate(smallTargets));
  page.off("console", hear).off("pageerror", fail);
  return faults;
}

const server = await serve();
const browser = await launch();
for (const { width, theme } of LOOKS) {
  const context = await open(browser, { width, theme });
  const page = await context.newPage();
  for (const name of names) {
    tell(`${name}, ${width}, ${theme}`, await look(page, `${server.url}/${name}.html`, width));
  }
  await context.close();
}
server.end();
for (const [what, run] of behaviours) {
  let fault = [];
  try {
    await run(browser);
  } catch (error) {
    fault = [error.message];
  }
  tell(what, fault);
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
