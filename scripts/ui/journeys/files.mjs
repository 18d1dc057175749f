// Readers of the files that people download: CSV (RFC 4180) and workbooks (ZIP; ECMA-376 part 1, SpreadsheetML). They know
// what Tidemark writes, and must fail where a file has anything else.

import assert from "node:assert/strict";
import fs from "node:fs";
import zlib from "node:zlib";

/** The records of a CSV file. */
export function records(text) {
  const found = [];
  const cells = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/gy;
  for (let record = [], at = 0; at < text.length;) {
    cells.lastIndex = at;
    const [whole, cell, end] = cells.exec(text) ?? assert.fail(`no CSV at character ${at}`);
    record.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (end !== ",") found.push(record.splice(0));
    at += whole.length;
  }
  return found;
}

/** Records as objects, by the names in the first one. */
export function table(text) {
  const [header, ...rows] = records(text);
  return rows.map((row) => Object.fromEntries(header.map((name, no) => [name, row[no]])));
}

export const csv = (rows) => rows.map((row) => row.map(cell).join(",") + "\n").join("");
const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The files in a ZIP file, by name. */
export function unzip(bytes) {
  const end = bytes.lastIndexOf(Buffer.from("PK\x05\x06"));
  assert.ok(end >= 0, "this is no ZIP file");
  const files = new Map();
  for (let left = bytes.readUInt16LE(end + 10), at = bytes.readUInt32LE(end + 16); left > 0; left--) {
    assert.equal(bytes.readUInt32LE(at), 0x02014b50, "a broken directory");
    const [method, sum] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 16)];
    const [packed, size] = [bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 24)];
    const [name, extra, comment] = [28, 30, 32].map((place) => bytes.readUInt16LE(at + place));
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const data = bytes.subarray(start, start + packed);
    const file = method === 8 ? zlib.inflateRawSync(data) : data;
    assert.equal(file.length, size, "a file of another length");
    assert.equal(crc32(file), sum, "a damaged file");
    files.set(bytes.toString("utf8", at + 46, at + 46 + name), file);
    at += 46 + name + extra + comment;
  }
  return files;
}

function crc32(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const unescaped = (text) => text.replaceAll(/&(?:#(\d+)|#x([\da-fA-F]+)|(\w+));/g, (_, ten, sixteen, name) =>
  name ? ENTITIES[name] : String.fromCodePoint(ten ? Number(ten) : parseInt(sixteen, 16)));

/** The rows of a workbook's only sheet: of each cell its place, whether it is a text, and its value; and the sheet's XML. */
export function sheet(bytes) {
  const xml = unzip(bytes).get("xl/worksheets/sheet1.xml").toString();
  const rows = [...xml.matchAll(/<row\b[^>]*>(.*?)<\/row>/gs)].map(([, row]) =>
    [...row.matchAll(/<c\b([^>]*?)(?:\/>|>(.*?)<\/c>)/gs)].map(([, attributes, content = ""]) => ({
      column: attributes.match(/\br="([A-Z]+)\d+"/)[1],
      isText: /\bt="inlineStr"/.test(attributes),
      value: unescaped(content.replaceAll(/<[^>]+>/g, "")),
    })));
  return { rows, xml };
}

/** What a click downloads: its name and its bytes. */
export async function downloaded(page, click) {
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  assert.equal(await download.failure(), null);
  const bytes = fs.readFileSync(await download.path());
  return { name: download.suggestedFilename(), bytes, text: bytes.toString() };
}
