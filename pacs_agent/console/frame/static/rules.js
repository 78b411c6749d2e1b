// The rules' editor: line numbers, and what is wrong beside its line while one writes. It posts without this script too.

const PAUSE_MS = 400;
const CHECK = "/api/v1/rules/check";

function numberLines(gutter, text, bad) {
  const count = text.value.split("\n").length;
  gutter.replaceChildren(
    ...Array.from({ length: count }, (_, index) => {
      const line = document.createElement("span");
      line.textContent = `${index + 1}\n`;
      line.classList.toggle("bad", index + 1 === bad);
      return line;
    }),
  );
  gutter.scrollTop = text.scrollTop;
}

// The words stand at the right end of their line, as long as that is in sight.
function placeBeside(note, text, line) {
  const { lineHeight, paddingTop } = getComputedStyle(text);
  const top = Number.parseFloat(paddingTop) + (line - 1) * Number.parseFloat(lineHeight) - text.scrollTop;
  note.hidden = !line || top < 0 || top > text.clientHeight - Number.parseFloat(lineHeight);
  note.style.top = `${top}px`;
}

function showFault(place, answer) {
  place.textContent = answer.message;
  place.className = answer.fault ? "problem" : "quiet";
}

for (const form of document.querySelectorAll("[data-rules-editor]")) {
  const text = form.querySelector("textarea");
  const gutter = form.querySelector("[data-gutter]");
  const fault = form.querySelector("[data-fault]");
  const note = form.querySelector("[data-beside]");
  const saved = text.value;
  let waiting;
  let asked = 0;
  let bad = Number(text.dataset.faultLine) || 0;

  const mark = (line, words) => {
    bad = line ?? 0;
    note.textContent = words;
    numberLines(gutter, text, bad);
    placeBeside(note, text, bad);
  };

  const check = async () => {
    const turn = ++asked;
    const answer = await fetch(CHECK, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": document.documentElement.dataset.csrf },
      body: JSON.stringify({ text: text.value }),
    });
    if (turn !== asked || !answer.ok) return; // a later text was asked about, or the login has ended: saving says so
    const found = await answer.json();
    showFault(fault, found);
    mark(found.fault?.line, found.message);
  };

  text.addEventListener("input", () => {
    mark(0, "");
    clearTimeout(waiting);
    waiting = setTimeout(check, PAUSE_MS);
  });
  text.addEventListener("scroll", () => {
    gutter.scrollTop = text.scrollTop;
    placeBeside(note, text, bad);
  });
  mark(bad, fault.textContent);

  let leaving = false;
  form.addEventListener("submit", () => (leaving = true));
  form.addEventListener("htmx:beforeRequest", () => (leaving = true));
  form.addEventListener("htmx:responseError", () => (leaving = false));
  addEventListener("beforeunload", (event) => {
    if (!leaving && text.value !== saved) event.preventDefault();
  });
}

// A file dropped anywhere on its field is chosen.
for (const input of document.querySelectorAll("input[type=file][data-drop]")) {
  const field = input.closest(".field");
  field.addEventListener("dragover", (event) => event.preventDefault());
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
  });
}
