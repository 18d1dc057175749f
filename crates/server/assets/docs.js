// Sends what the "Try it" forms say, and shows the answer. The key lives in its field alone: never stored, never in a URL.
"use strict";

const SHOWN = 200_000;

function request(form, key) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  const options = { method: form.dataset.method, headers, cache: "no-store", credentials: "omit" };
  if (key) headers.set("Authorization", `Bearer ${key}`);
  for (const field of form.querySelectorAll("[data-in]")) {
    const { in: place, type } = field.dataset;
    const value = field.value.trim();
    if (place === "file") {
      options.body = new FormData();
      const file = field.files[0];
      options.body.append("file", new File([file], file.name, { type: "text/csv" }));
    } else if (place === "body") {
      options.body = field.value;
      headers.set("Content-Type", type);
    } else if (!value) {
      continue;
    } else if (place === "path") {
      path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    } else if (place === "header") {
      headers.set(field.name, value);
    } else {
      const values = field.name === "batch_ids" ? value.split(/[\s,]+/).filter(Boolean) : [value];
      for (const one of values) query.append(field.name, one);
    }
  }
  const search = query.toString();
  return [search ? `${path}?${search}` : path, options];
}

function pretty(text, type) {
  if (!type.includes("json")) return text;
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  // Indented without a number ever becoming a float.
  let depth = 0, inside = false, out = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inside) {
      out += c;
      if (c === "\\") out += text[++i];
      else if (c === '"') inside = false;
    } else if (c === '"') {
      inside = true;
      out += c;
    } else if ((c === "{" || c === "[") && !/^\s*[}\]]/.test(text.slice(i + 1, i + 20))) {
      out += c + "\n" + "  ".repeat(++depth);
    } else if (c === "}" || c === "]") {
      out += /[{[]$/.test(out) ? c : "\n" + "  ".repeat(--depth) + c;
    } else if (c === ",") {
      out += ",\n" + "  ".repeat(depth);
    } else if (c === ":") {
      out += ": ";
    } else if (!/\s/.test(c)) {
      out += c;
    }
  }
  return out;
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(place, ...parts) {
  place.replaceChildren(...parts);
  place.hidden = false;
}

async function send(form) {
  const place = form.parentElement.querySelector(".answer");
  const button = form.querySelector("button");
  const [url, options] = request(form, document.getElementById("key").value.trim());
  button.disabled = true;
  try {
    const began = performance.now();
    const response = await fetch(url, options);
    const text = await response.text();
    const took = Math.round(performance.now() - began);
    const status = element("p", "");
    status.append(
      element("span", String(response.status), `status ${response.ok ? "good" : "bad"}`),
      ` in ${took} ms · ${options.method} `, element("code", url));
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const more = element("details", "");
    more.append(element("summary", "Headers"), element("pre", headers));
    const cut = text.length > SHOWN ? `\n… ${text.length - SHOWN} characters more` : "";
    const body = element("pre", pretty(text.slice(0, cut ? SHOWN : undefined), cut ? "" : response.headers.get("content-type") || "") + cut);
    body.tabIndex = 0;
    show(place, status, more, body);
  } catch (error) {
    show(place, element("p", `There is no whole answer: ${error.message}`, "fault"));
  } finally {
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll(".try form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
for (const form of document.querySelectorAll("form[data-key]")) {
  form.addEventListener("submit", (event) => event.preventDefault());
}
// On a narrow screen the contents begin closed.
if (matchMedia("(max-width: 60rem)").matches) document.querySelector(".menu details")?.removeAttribute("open");
