// Downloads one after another, each to a file. Reads what to do as JSON from stdin, and writes one JSON object a line
// to stdout: the error of a download, or null where it was taken for whole.
import { createWriteStream } from "node:fs";
import { connect, constants } from "node:http2";
import { text } from "node:stream/consumers";
import { finished, pipeline } from "node:stream/promises";

const order = JSON.parse(await text(process.stdin));
const headers = { authorization: `Bearer ${order.key}`, "accept-encoding": order.coding };
let session;

// Ends the process where the answer is not the file.
function answered(status, coding) {
  if (Number(status) !== 200 || (coding ?? "identity") !== order.coding) {
    console.error(`answered with ${status}, coded as ${coding}`);
    process.exit(1);
  }
}

// A stream of HTTP/2 for the file, over the same connection while that holds.
function stream() {
  if (session === undefined || session.closed || session.destroyed) {
    session = connect(order.url);
    // What breaks a connection breaks its streams, and these tell.
    session.on("error", () => {});
  }
  const body = session.request({ ":path": order.path, ...headers });
  body.on("response", (told) => answered(told[":status"], told["content-encoding"]));
  return body;
}

// The end of reading, if it was one. Where a connection is lost, Node ends its streams as if they were whole, or closes
// them without a word to whoever reads: only their code tells (https://github.com/nodejs/node/issues/56627). So whoever
// reads like this must ask for it.
async function ended(body, reading) {
  const broken = () => body.rstCode !== constants.NGHTTP2_NO_ERROR;
  const closed = new Promise((_, reject) => {
    body.on("close", () => broken() && reject(new Error("not ended")));
  });
  await Promise.race([reading, closed]);
  if (broken()) throw new Error("not ended");
}

const tasks = {
  async fetch(path) {
    const response = await fetch(order.url + order.path, { headers });
    answered(response.status, response.headers.get("content-encoding"));
    await pipeline(response.body, createWriteStream(path));
  },
  async http2(path) {
    const body = stream();
    await ended(body, pipeline(body, createWriteStream(path)));
  },
  async "http2-events"(path) {
    const body = stream();
    const file = createWriteStream(path);
    body.on("data", (chunk) => file.write(chunk));
    const reading = new Promise((resolve, reject) => {
      body.on("end", resolve);
      body.on("error", reject);
    });
    try {
      await ended(body, reading);
    } finally {
      file.end();
      await finished(file);
    }
  },
};

for (const path of order.files) {
  let error = null;
  try {
    await tasks[order.task](path);
  } catch (cause) {
    error = cause.code ?? `${cause.name}: ${cause.message}`;
  }
  console.log(JSON.stringify({ error }));
}
session?.close();
