// Every page in every look, then every behaviour. One line for each failure.

import { behaviours } from "./behaviours.mjs";
import { LOOKS, launch, names, open, serve } from "./browser.mjs";
import { inspect, listen } from "./inspect.mjs";
import { close, tell } from "./report.mjs";

async function look(page, url, width) {
  const faults = [];
  const deaf = listen(page, faults);
  await page.goto(url);
  faults.push(...await inspect(page, width, async () => {
    if (url.endsWith("/batches.html") && width < 500) await page.locator(".more > summary").click();
  }));
  deaf();
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
process.exit(close());
