// Somebody else has a copy of the session's cookie, until the password is changed.

import assert from "node:assert/strict";
import net from "node:net";

import { isAtTheDoor, statusOf } from "./acts.mjs";

/** A way to the server that can be cut, as networks do. */
async function way(site) {
  const sockets = new Set();
  const server = net.createServer((client) => {
    const onward = net.connect(Number(new URL(site.url).port), "127.0.0.1");
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => [client, onward].forEach((end) => sockets.delete(end.destroy())));
    }
    client.pipe(onward).pipe(client);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://127.0.0.1:${server.address().port}`,
    cut: () => sockets.forEach((socket) => socket.destroy()),
    end() {
      this.cut();
      server.close();
    },
  };
}

/** The status of the next stream that a page opens. */
const stream = async (page) => (await page.waitForResponse((response) => response.url().endsWith("/live"))).status();

async function aCopyEndsWithThePassword(windows, site) {
  await site.requester("Stolen");
  const key = await site.key("Stolen");
  const account = { phone_number: "5125550142", ssn: "000-12-3456", account_number: "BAL1", routing_number: "026009593" };
  await site.finished(key, await site.submit(key, [{ authorizer_unique_id: "s-1", ...account }]));
  const jane = await site.person("Stolen", "Jane Doe", "operator");
  const owner = await windows.open(jane);
  await owner.goto("/account");
  const [cookie] = (await owner.context().cookies()).filter(({ name }) => name === "__Host-tidemark");
  const elsewhere = await windows.open(jane);
  assert.equal(await statusOf(elsewhere, "/batches"), 200);
  const thief = await windows.open();
  await thief.context().addCookies([cookie]);
  assert.equal(await statusOf(thief, "/batches"), 200);

  const road = await way(site);
  windows.expected = (message) => /net::ERR_CONNECTION_CLOSED|htmx:sse:error/.test(message.text());
  windows.isOwn = (url) => url.startsWith(site.url) || url.startsWith(road.url);
  try {
    const [opened] = await Promise.all([stream(thief), thief.goto(`${road.url}/`)]);
    assert.equal(opened, 200);
    await owner.getByLabel("Current password").fill(jane.password);
    await owner.getByLabel("New password").fill("another harbour with ten boats");
    await owner.getByLabel("The same again").fill("another harbour with ten boats");
    await owner.getByRole("button", { name: "Change the password" }).click();
    await owner.getByText("Your password is changed. Every other session of yours has ended.").waitFor();

    // Its stream is refused when it comes again, and the page gives way to the door.
    const refused = stream(thief);
    road.cut();
    assert.equal(await refused, 401);
    await isAtTheDoor(thief, "Your session has ended.");
  } finally {
    road.end();
  }
  await thief.context().addCookies([cookie]);
  await thief.goto(`${site.url}/batches`);
  await isAtTheDoor(thief, "Your session has ended.");
  await elsewhere.goto("/batches");
  await isAtTheDoor(elsewhere, "Your session has ended.");
  assert.equal(await statusOf(owner, "/batches"), 200, "the owner is still in");
  const old = await site.ask("/sign-in", { form: { email: jane.email, password: jane.password } });
  assert.equal(old.status, 422, "the old password");
}

export const journeys = [["a copy of the cookie is worth nothing once the password is changed, and its live page closes", aCopyEndsWithThePassword]];
