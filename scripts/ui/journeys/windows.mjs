// The windows of a journey, each with cookies of its own. What no page may do is a fault of the journey: an error in the
// console, a violation of the content security policy, a request to another origin.

import { open } from "../browser.mjs";
import { listen } from "../inspect.mjs";

const DESK = { width: 1280, theme: "light" };

/** An answer that is no page is what some journeys are about, and Chromium says each in the console. */
const isRefusal = (message) => /^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());

export class Windows {
  faults = [];
  /** Words of the console that a journey is about. */
  expected = () => false;
  #contexts = [];

  constructor(browser, site) {
    this.browser = browser;
    this.site = site;
  }

  /** A page in a window of its own, of somebody who is signed in, or of nobody. Further options go to Playwright. */
  async open(person, { look = DESK, ...options } = {}) {
    const context = await open(this.browser, look, { baseURL: this.site.url, ...options });
    this.#contexts.push(context);
    context.setDefaultTimeout(20_000);
    await context.addInitScript(() => addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
      console.error(`the policy ${effectiveDirective} is violated by ${blockedURI}`);
    }));
    if (person) await context.addCookies([await this.site.session(person)]);
    context.on("page", (page) => listen(page, this.faults, (message) => isRefusal(message) || this.expected(message)));
    context.on("request", (request) => {
      if (!this.isOwn(request.url())) this.faults.push(`a request to ${request.url()}`);
    });
    return context.newPage();
  }

  isOwn(url) {
    return /^(data|blob|about):/.test(url) || url.startsWith(`${this.site.url}/`);
  }

  /** Closes all, and keeps a picture of each as it was, for whoever looks for a failure. */
  async close(pictures) {
    for (const context of this.#contexts) {
      for (const [no, page] of pictures ? context.pages().entries() : []) {
        await page.screenshot({ path: `${pictures}-${this.#contexts.indexOf(context) + 1}-${no + 1}.png` }).catch(() => {});
      }
      await context.close();
    }
  }
}
