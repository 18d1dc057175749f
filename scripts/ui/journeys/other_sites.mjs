// A page of another site that sends forms to the server, in the browser of somebody who is signed in there.

import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";

/** A page that sends this form as soon as it is open. */
const trap = (action, fields) => `<!doctype html><title>trap</title><form method="post" action="${action}">${
  Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join("")
}</form><script>document.forms[0].submit()</script>`;

async function listen(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

async function formsOfOtherSitesAreRefused(windows, site) {
  await site.requester("Trapped");
  const ada = await site.person("Trapped", "Ada Admin", "admin");
  const page = await windows.open(ada);
  windows.isOwn = () => true; // the other sites are what this is about
  const answer = (request, response) => {
    const form = request.url === "/sign-out" ? {} : { name: "Stolen", required: "on" };
    response.writeHead(200, { "Content-Type": "text/html" }).end(trap(site.url + request.url, form));
  };
  // Another port of the same host is the same site to a browser, which sends the cookie; another host is not.
  const [near, far] = [https.createServer(site.tls, answer), http.createServer(answer)];
  const sites = [[`https://127.0.0.1:${await listen(near)}`, true], [`http://localhost:${await listen(far)}`, false]];
  try {
    for (const [origin, withCookie] of sites) {
      for (const address of ["/keys", "/users/second-factor", "/sign-out"]) {
        const [sent] = await Promise.all([
          page.waitForRequest((request) => request.method() === "POST"),
          page.goto(origin + address),
        ]);
        const reply = await sent.response();
        assert.equal(reply.status(), 403, `${origin}${address}`);
        await page.getByRole("heading", { name: "This form was not sent from here" }).waitFor();
        const headers = await sent.allHeaders();
        assert.equal(headers.origin, origin);
        assert.equal(/__Host-tidemark=/.test(headers.cookie ?? ""), withCookie, `the cookie of ${origin}`);
      }
    }
  } finally {
    for (const server of [near, far]) {
      server.closeAllConnections();
      server.close();
    }
  }
  await page.goto("/keys");
  await page.getByText("No API keys").waitFor();
  await page.goto("/users");
  await page.getByRole("button", { name: "Require it" }).waitFor();
}

export const journeys = [["forms that another site sends are refused, with and without the cookie", formsOfOtherSitesAreRefused]];
