// What pages do better with scripts: local times, ticks, copying, dropping a file, live progress. Each page works without.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// ---- Times: the server writes UTC; here they become the viewer's, with UTC in the tooltip and a switch back ----
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const shapes = {
  day: { dateStyle: "medium" },
  seconds: { dateStyle: "medium", timeStyle: "medium" },
  minutes: { dateStyle: "medium", timeStyle: "short" },
};
const shown = {};
let utc = remembered("tidemark-utc") === "yes";

function remembered(name) {
  return document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
}

function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax; secure`;
}

function localise(root = document) {
  for (const time of all("time[datetime]", root)) {
    time.dataset.utc ??= time.textContent;
    const shape = time.dataset.show || "minutes";
    shown[shape] ??= new Intl.DateTimeFormat("en-GB", shapes[shape]);
    const local = shown[shape].format(new Date(time.dateTime));
    const text = utc ? time.dataset.utc : local;
    if (time.textContent !== text) time.textContent = text;
    time.title = utc ? `${local}, ${zone}` : time.dataset.utc.includes("UTC") ? time.dataset.utc : time.dateTime;
  }
}

function sayZone() {
  for (const place of all("[data-zone]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = utc ? "Show my time" : "Show UTC";
    button.addEventListener("click", () => {
      utc = !utc;
      remember("tidemark-utc", utc ? "yes" : "no");
      localise();
      sayZone();
      document.querySelector("[data-zone] button").focus();
    });
    place.replaceChildren(`Times are in ${utc ? "UTC" : `your zone, ${zone.replaceAll("_", " ")}`}. `, button);
  }
}

// ---- Colours ----
function theme(choice) {
  document.documentElement.dataset.theme = choice;
  remember("tidemark-theme", choice);
  for (const button of all("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
  }
}

// ---- Ticks ----
function countTicks(form) {
  const boxes = all("[name=batch_ids]", form);
  const ticked = boxes.filter((box) => box.checked).length;
  const head = form.querySelector("[data-tick-all]");
  head.hidden = false;
  const whole = head.querySelector("input");
  whole.checked = ticked === boxes.length;
  whole.indeterminate = ticked > 0 && ticked < boxes.length;
  form.querySelector("[data-ticked]").textContent = ticked === 0
    ? "Tick batches to download them as one file"
    : `${ticked} batch${ticked === 1 ? "" : "es"} ticked`;
}

// ---- Whatever came with the page or into it ----
function dress(root = document) {
  localise(root);
  for (const form of all("[data-ticks]", root)) countTicks(form);
  for (const hidden of all("[data-copy], [data-themes], [data-drop-hint]", root)) hidden.hidden = false;
  for (const submit of all("[data-filter] [type=submit]", root)) submit.hidden = Boolean(window.htmx);
}

document.addEventListener("change", ({ target }) => {
  const form = target.closest("[data-ticks]");
  if (!form) return;
  if (target.closest("[data-tick-all]")) {
    for (const box of all("[name=batch_ids]", form)) box.checked = target.checked;
  }
  countTicks(form);
});

document.addEventListener("click", async ({ target }) => {
  const choice = target.closest("[data-theme-choice]");
  if (choice) theme(choice.dataset.themeChoice);

  const copy = target.closest("[data-copy]");
  if (copy) {
    const word = copy.querySelector("span");
    const before = word.textContent;
    try {
      await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).innerText.trim());
      word.textContent = "Copied";
    } catch {
      word.textContent = "Select it and press Ctrl C";
    }
    setTimeout(() => (word.textContent = before), 2500);
  }
  for (const open of all("details.more[open]")) if (!open.contains(target)) open.open = false;
});

document.addEventListener("keydown", ({ key, target }) => {
  const open = key === "Escape" && target.closest("details.more[open], details.who[open], details.confirm[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

document.addEventListener("submit", ({ target, submitter }) => {
  if (!submitter?.dataset.busy) return;
  // After the form has gone: a disabled button would not be sent with it.
  setTimeout(() => {
    submitter.disabled = true;
    submitter.append(` · ${submitter.dataset.busy}`);
  });
});
// A page that comes back from the browser's memory must not have its buttons off.
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload();
  // Browsers put ticks back after the page has loaded.
  for (const form of all("[data-ticks]")) countTicks(form);
});

// ---- Dropping a file: anywhere on the page, or the browser would open what misses the box ----
for (const form of all("[data-drop]")) {
  const input = form.querySelector("[type=file]");
  const dropping = (is) => form.classList.toggle("dropping", is);
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      dropping(true);
    });
  }
  document.addEventListener("dragleave", (event) => event.relatedTarget || dropping(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dropping(false);
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    form.requestSubmit();
  });
}

// ---- Live parts ----
document.addEventListener("htmx:after:swap", () => {
  dress();
  const news = document.querySelector("[data-announcement]")?.dataset.announcement;
  const place = document.querySelector("[data-announce]");
  if (place && news && place.textContent !== news) place.textContent = news;
  for (const lost of all("[data-live-lost]")) lost.hidden = true;
});
for (const name of ["htmx:sse:error", "htmx:error"]) {
  document.addEventListener(name, ({ detail }) => {
    // The session is over: trying again for ever helps nobody, and the page leads to the door.
    if (detail?.status === 401) location.reload();
    for (const lost of all("[data-live-lost]")) lost.hidden = false;
  });
}
// Sent elsewhere means signed out: the whole page goes there, not a part of it.
document.addEventListener("htmx:before:response", (event) => {
  if (!event.detail.ctx.response.raw.redirected) return;
  event.preventDefault();
  location.reload();
});

dress();
sayZone();
