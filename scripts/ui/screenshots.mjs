// Writes docs/screens/NAME-WIDTH-THEME.png: each page once, in its usual state.

import { LOOKS, folder, launch, names, open, serve } from "./browser.mjs";

const target = process.argv[3];
// A name that goes on from another one's is a further state of the same page, but for these.
const OWN = new Set(["sign-in-code", "second-factor", "recovery-codes"]);
const usual = names.filter((name) => OWN.has(name) || !names.some((other) => name.startsWith(`${other}-`)));
const also = ["batch-done", "keys-made", "error-not-found"];
const shown = [...new Set([...usual.filter((name) => !name.startsWith("error-")), ...also])];

const server = await serve();
const browser = await launch();
for (const look of LOOKS) {
  const context = await open(browser, look);
  const page = await context.newPage();
  for (const name of shown) {
    const size = page.viewportSize();
    await page.goto(`${server.url}/${name}.html`);
    // A window as high as the page: what sticks to its end then stands at the page's end.
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width: size.width, height: Math.max(size.height, height) });
    await page.screenshot({ path: `${target}/${name}-${look.width}-${look.theme}.png`, animations: "disabled" });
    await page.setViewportSize(size);
  }
  await context.close();
}
await browser.close();
server.end();
console.log(`${shown.length} pages in ${LOOKS.length} looks, from ${folder}`);
