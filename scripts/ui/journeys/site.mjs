// A real server for the journeys: `tidemark serve` in a temporary folder with its own certificate, and what the command line
// and other programs do beside the browser. It listens on loopback alone, and must not outlive the run.

import { execFile, spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { promisify } from "node:util";

import { folder } from "../browser.mjs";

const run = promisify(execFile);
const BINARY = path.join(folder, "../debug/tidemark");
export const PASSWORD = "quiet harbour with nine boats";

export class Site {
  /** On SQLite, or on the PostgreSQL database of this URL. */
  static async start(databaseUrl) {
    const site = new Site();
    site.folder = fs.mkdtempSync(path.join(os.tmpdir(), "tidemark-journeys-"));
    // Nothing of the surroundings reaches the server.
    site.env = { NO_COLOR: "1", TIDEMARK_DATA_DIR: path.join(site.folder, "data") };
    if (databaseUrl) site.env.TIDEMARK_DATABASE_URL = databaseUrl;
    const log = fs.openSync(path.join(site.folder, "log"), "w");
    const options = { env: site.env, stdio: ["ignore", "pipe", log] };
    site.process = spawn(BINARY, ["serve", "--listen", "127.0.0.1:0", "--json"], options);
    site.ended = new Promise((resolve) => site.process.once("exit", resolve));
    process.once("exit", () => site.process.kill("SIGKILL"));
    const [first] = await Promise.race([
      readline.createInterface(site.process.stdout)[Symbol.asyncIterator]().next().then(({ value }) => [value]),
      site.ended.then(() => []),
    ]);
    if (!first) throw new Error(`the server did not start: ${site.log()}`);
    site.url = JSON.parse(first).listening;
    site.env.TIDEMARK_PUBLIC_URL = site.url;
    const tls = path.join(site.env.TIDEMARK_DATA_DIR, "tls");
    site.ca = fs.readFileSync(path.join(tls, "cert.pem"));
    site.tls = { cert: site.ca, key: fs.readFileSync(path.join(tls, "key.pem")) };
    return site;
  }

  /** Ends it in good order, and leaves nothing. */
  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
    fs.rmSync(this.folder, { recursive: true });
  }

  log() {
    return fs.readFileSync(path.join(this.folder, "log"), "utf8");
  }

  /** The hash by which Chromium knows the certificate's key. */
  get pin() {
    const key = new crypto.X509Certificate(this.ca).publicKey.export({ type: "spki", format: "der" });
    return crypto.createHash("sha256").update(key).digest("base64");
  }

  /** A command on the server's own database. */
  async command(...args) {
    return JSON.parse((await run(BINARY, [...args, "--json"], { env: this.env })).stdout);
  }

  requester(name) {
    return this.command("requester", "add", name);
  }

  async key(requester) {
    return (await this.command("key", "create", "--requester", requester)).api_key;
  }

  /** Somebody new, with the link that sets a password. */
  async invite(requester, name, role) {
    const email = `${name.toLowerCase().replaceAll(/[^a-z]+/g, ".")}@${requester.toLowerCase().replaceAll(/[^a-z]+/g, "-")}.example`;
    const { link } = await this.command("user", "add", "--requester", requester, "--email", email, "--name", name, "--role", role);
    return { name, email, link, password: PASSWORD };
  }

  /** Somebody new who has a password. */
  async person(requester, name, role) {
    const person = await this.invite(requester, name, role);
    const set = await this.ask(new URL(person.link).pathname, { form: { password: PASSWORD, again: PASSWORD } });
    if (set.status !== 303) throw new Error(`no password was set: ${set.status} ${set.text}`);
    return person;
  }

  /** The cookie of a new session. */
  async session({ email, password }) {
    const { status, headers } = await this.ask("/sign-in", { form: { email, password } });
    if (status !== 303) throw new Error(`not signed in: ${status}`);
    const [name, value] = headers["set-cookie"][0].split(";")[0].split("=");
    return { name, value, url: this.url, secure: true, httpOnly: true, sameSite: "Lax" };
  }

  /** An answer to a program. A form is sent as a page of the server sends it. */
  ask(address, { method, headers = {}, body, form, key } = {}) {
    const sent = form ? new URLSearchParams(form).toString() : body;
    const all = { ...headers };
    if (form) Object.assign(all, { Origin: this.url, "Content-Type": "application/x-www-form-urlencoded" });
    if (key) all.Authorization = `Bearer ${key}`;
    return new Promise((resolve, reject) => {
      const options = { method: method ?? (sent === undefined ? "GET" : "POST"), headers: all, ca: this.ca };
      const request = https.request(new URL(address, this.url), options, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part)).on("error", reject).on("end", () => {
          const bytes = Buffer.concat(parts);
          resolve({ status: response.statusCode, headers: response.headers, bytes, text: bytes.toString() });
        });
      });
      request.on("error", reject).end(sent);
    });
  }

  /** What the API says, as it was parsed. */
  async api(key, address, options = {}) {
    const answer = await this.ask(address, { key, ...options });
    if (answer.status >= 300) throw new Error(`${address}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text);
  }

  /** Submits authorizers by the API, and returns the batch's id. */
  async submit(key, authorizers) {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ authorizers });
    return (await this.api(key, "/v1/balance_requests", { headers, body })).batch_id;
  }

  /** Waits until every result of a batch is there. */
  async finished(key, batch) {
    await until(async () => (await this.api(key, `/v1/balance_requests/${batch}`)).status === "COMPLETED");
  }
}

/** Waits until it is so. */
export async function until(isSo) {
  const deadline = Date.now() + 30_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`it never comes to be so: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
