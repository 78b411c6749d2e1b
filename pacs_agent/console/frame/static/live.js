// Keeps what is shown up to date. One stream of events for the page; each event names topics that changed, and the parts
// of the page that wait for `changed-<topic>` on the body ask for themselves again. A hidden page lets its stream go: the
// agent has few of them. Where none is to be had, everything is asked for every ten seconds.

const ASK_AGAIN_MS = 10_000;
const TRY_STREAM_MS = 60_000;
const TOPICS = [...new Set([...document.querySelectorAll("[data-live]")].flatMap((part) => part.dataset.live.split(" ")))];

let stream = null;
let asking = null;
let waited = false;

function changed(topics) {
  for (const topic of topics) document.body.dispatchEvent(new CustomEvent(`changed-${topic}`));
}

const SIGNS = { live: "Live", late: "Live updates are late" };

function show(state) {
  const sign = document.querySelector("[data-live-sign]");
  document.documentElement.dataset.liveState = state;
  sign.textContent = SIGNS[state];
  sign.hidden = false;
}

function open() {
  if (stream || document.hidden || TOPICS.length === 0) return;
  stream = new EventSource("/console/events");
  stream.addEventListener("open", () => {
    stopAsking();
    show("live");
    // what happened between the page and its stream, or while the stream was broken, is made up for
    if (waited) changed(TOPICS);
    waited = true;
  });
  stream.addEventListener("changed", (event) => changed(JSON.parse(event.data).topics));
  stream.addEventListener("error", () => {
    show("late");
    if (stream.readyState === EventSource.CLOSED) refused();
  });
}

/** No stream for this page: it asks by itself, and tries for a stream again now and then. */
function refused() {
  close();
  asking ??= setInterval(() => changed(TOPICS), ASK_AGAIN_MS);
  setTimeout(open, TRY_STREAM_MS);
}

function stopAsking() {
  clearInterval(asking);
  asking = null;
}

function close() {
  stream?.close();
  stream = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    close();
    stopAsking();
  } else {
    changed(TOPICS);
    open();
  }
});
addEventListener("pagehide", close);

// Somebody who writes or chooses within a part is not disturbed; the next change brings it up to date.
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  if (!part.dataset?.live || !event.detail.requestConfig?.triggeringEvent?.type.startsWith("changed-")) return;
  const within = document.activeElement;
  const busy = part.contains(within) && within.matches("input, textarea, select");
  if (busy || document.querySelector("dialog[open]")) event.preventDefault();
});

// The row that had the focus has it again after its part was replaced.
let focused = "";
document.addEventListener("htmx:beforeSwap", (event) => {
  const within = document.activeElement;
  focused = event.detail.target.contains(within) ? (within.getAttribute("href") ?? "") : "";
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (focused) event.detail.elt.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  focused = "";
});

document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) location.reload(); // the login is over: the page leads to a new one
});
document.addEventListener("htmx:sendError", () => show("late"));

open();
