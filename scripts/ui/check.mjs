// Every page in every look, then every behaviour. One line for each failure.

import { behaviours } from "./behaviours.mjs";
import { LOOKS, launch, names, open, serve } from "./browser.mjs";
import { inspect, listen } from "./inspect.mjs";
import { close, tell } from "./report.mjs";

async function look(page, url, width) {
  const faults = [];
  const deaf = listen(page, faults);
  await page.goto(url);
  const isPhone = width < 500;
  const prepare = async () => {
    if (url.endsWith("/batches.html") && isPhone) await page.locator(".more > summary").click();
  };
  faults.push(...await inspect(page, { fingers: isPhone, prepare }));
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
