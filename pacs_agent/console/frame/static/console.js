// The console's own script: keys, the question before what cannot be undone, local times, themes. Pages read without it.

const html = document.documentElement;

// Every request of htmx carries the session's token.
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = html.dataset.csrf;
});

function showLocalTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const two = (number) => String(Math.abs(Math.trunc(number))).padStart(2, "0");
    const offset = -at.getTimezoneOffset();
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const hour = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    time.textContent = `${day} ${hour} ${offset < 0 ? "-" : "+"}${two(offset / 60)}:${two(offset % 60)}`;
  }
}

// What is wider than the page is scrolled by keys too: it takes the focus, and says what it is.
function letWidePartsScroll(within) {
  for (const part of within.querySelectorAll(".table, .document, pre")) {
    if (part.scrollWidth <= part.clientWidth) continue;
    part.tabIndex = 0;
    part.setAttribute("role", "region");
    const title = part.closest("section")?.querySelector("h2") ?? document.querySelector("h1");
    if (!part.hasAttribute("aria-label")) part.setAttribute("aria-label", title?.textContent.trim() ?? "Wide part");
  }
}

function prepare(within) {
  showLocalTimes(within);
  letWidePartsScroll(within);
}

prepare(document);
document.addEventListener("htmx:afterSettle", (event) => prepare(event.detail.elt));
addEventListener("resize", () => letWidePartsScroll(document));

// Destructive acts ask once and say what they will do.
const confirmation = document.getElementById("confirm");

function askOnce(form) {
  confirmation.querySelector("#confirm-words").textContent = form.dataset.confirm;
  const yes = confirmation.querySelector("button[value=yes]");
  yes.textContent = form.dataset.sure;
  confirmation.returnValue = "";
  confirmation.showModal();
  return new Promise((resolve) => {
    confirmation.addEventListener("close", () => resolve(confirmation.returnValue === "yes"), { once: true });
  });
}

document.addEventListener("htmx:confirm", async (event) => {
  const form = event.detail.elt;
  if (!form.dataset?.confirm) return;
  event.preventDefault();
  if (await askOnce(form)) event.detail.issueRequest(true);
});

// Dark and light; the system's choice until the reader has one of his own.
function setTheme(theme) {
  if (theme) html.dataset.theme = theme;
}

setTheme(localStorage.getItem("pacs-agent-theme"));
document.querySelector("[data-theme-switch]").addEventListener("click", () => {
  const dark = html.dataset.theme
    ? html.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(dark ? "light" : "dark");
  localStorage.setItem("pacs-agent-theme", html.dataset.theme);
  document.dispatchEvent(new CustomEvent("theme"));
});

// Keys. A row that can be opened has data-row; its first link is where it leads.
const sheet = document.getElementById("keys");
document.querySelector("[data-keys]").addEventListener("click", () => sheet.showModal());

let afterG = false;

function isWriting(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

function moveRow(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(Math.max(here + step, 0), rows.length - 1)];
  next?.querySelector("a, button")?.focus();
}

const KEYS = {
  "?": () => sheet.showModal(),
  "/": () => document.querySelector("[data-search]")?.focus(),
  j: () => moveRow(1),
  k: () => moveRow(-1),
  n: () => document.querySelector("a[rel=next]")?.click(),
  p: () => document.querySelector("a[rel=prev]")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (isWriting(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
    return;
  }
  if (afterG) {
    afterG = false;
    document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  if (event.key === "g") {
    afterG = true;
    setTimeout(() => (afterG = false), 1500);
  } else if (Object.hasOwn(KEYS, event.key)) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
