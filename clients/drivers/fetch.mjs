// One request with Node's fetch. Reads what to do as JSON from stdin, and writes what came as JSON to stdout.
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

const order = JSON.parse(await text(process.stdin));

function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${order.key}`, ...options.headers };
  return fetch(order.url + path, { ...options, headers });
}

const tasks = {
  submit() {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ authorizers: order.authorizers });
    return ask("/v1/balance_requests", { method: "POST", headers, body });
  },
  async submit_csv() {
    const body = new FormData();
    body.set("file", new Blob([await readFile(order.path)], { type: "text/csv" }), "people.csv");
    return ask("/v1/balance_requests/csv", { method: "POST", body });
  },
  status() {
    return ask(`/v1/balance_requests/${order.batch_id}`);
  },
  page() {
    const query = new URLSearchParams({ batchId: order.batch_id, limit: order.limit });
    if (order.token !== null) query.set("next_page_token", order.token);
    return ask(`/v1/balances?${query}`);
  },
  export() {
    return ask(`/v1/balances/csv?${new URLSearchParams(order.batch_ids.map((id) => ["batch_ids", id]))}`);
  },
};

const response = await tasks[order.task]();
const answer = { status: response.status, rows: response.headers.get("Tidemark-Row-Count") };
if (order.task === "export" && response.ok) {
  await pipeline(response.body, createWriteStream(order.path));
} else {
  answer.text = await response.text();
}
process.stdout.write(JSON.stringify(answer));
