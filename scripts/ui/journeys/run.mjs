// Every journey, in a real Chromium against a real server on SQLite; those that ask for it on PostgreSQL too, where
// TIDEMARK_TEST_POSTGRES says where that is. Arguments are parts of names: only journeys with one of them are made.

import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { folder, launch } from "../browser.mjs";
import { close, tell } from "../report.mjs";
import * as apiKey from "./api_key.mjs";
import * as download from "./download.mjs";
import * as everyPage from "./every_page.mjs";
import * as firstVisit from "./first_visit.mjs";
import * as newUser from "./new_user.mjs";
import * as otherSites from "./other_sites.mjs";
import * as roles from "./roles.mjs";
import * as stolenCookie from "./stolen_cookie.mjs";
import * as upload from "./upload.mjs";
import { Site } from "./site.mjs";
import { Windows } from "./windows.mjs";
import * as withoutScript from "./without_script.mjs";

const MODULES = [firstVisit, newUser, upload, download, apiKey, roles, otherSites, stolenCookie, withoutScript];
const wanted = process.argv.slice(3);
const pictures = path.join(folder, "failed");
const run = promisify(execFile);

/** A site on a new database of the cluster at this URL, which goes with it. */
async function startOnPostgres(cluster) {
  const name = `tidemark_journeys_${process.pid}`;
  const sql = (text) => run("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", cluster, "-c", text]);
  await sql(`CREATE DATABASE ${name}`);
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  const site = await Site.start(url.href);
  const stop = site.stop.bind(site);
  site.stop = async () => {
    await stop();
    await sql(`DROP DATABASE ${name}`);
  };
  return site;
}

/** Makes one journey, and tells what came of it. */
async function travel(browser, site, [name, act]) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) return;
  const windows = new Windows(browser, site);
  const faults = [];
  const began = performance.now();
  try {
    await act(windows, site);
  } catch (error) {
    faults.push(error.stack);
  }
  faults.push(...windows.faults);
  await windows.close(faults.length > 0 && path.join(pictures, name.replaceAll(/\W+/g, "-")));
  tell(name, faults);
  console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${name}`);
}

/** Two at a time: much of a journey is waiting for a bank. */
async function travelAll(browser, site, journeys) {
  const left = journeys[Symbol.iterator]();
  const lane = async () => {
    for (const journey of left) await travel(browser, site, journey);
  };
  await Promise.all([lane(), lane()]);
}

fs.rmSync(pictures, { recursive: true, force: true });
fs.mkdirSync(pictures);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));
const cluster = process.env.TIDEMARK_TEST_POSTGRES;
const [sqlite, postgres] = await Promise.all([Site.start(), cluster && startOnPostgres(cluster)]);
// Chromium trusts the servers' own certificates by their keys, and nothing else that it would not trust.
const pins = [sqlite, postgres].filter(Boolean).map(({ pin }) => pin);
const browser = await launch(`--ignore-certificate-errors-spki-list=${pins.join(",")}`);
try {
  // Every page comes last and alone: it keeps two windows busy.
  await travelAll(browser, sqlite, MODULES.flatMap(({ journeys }) => journeys));
  const also = postgres ? MODULES.flatMap(({ onPostgres }) => onPostgres ?? []) : [];
  await travelAll(browser, postgres, also.map(([name, act]) => [`${name}, on PostgreSQL`, act]));
  for (const journey of everyPage.journeys) await travel(browser, sqlite, journey);
} finally {
  await browser.close();
  await Promise.all([sqlite.stop(), postgres?.stop()]);
}
process.exit(close());
