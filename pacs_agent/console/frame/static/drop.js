// Files dropped on a part of the page go into its file field; how much of them was sent is shown.

const part = document.querySelector("[data-drop]");
const field = part.querySelector("input[type=file]");
const sent = part.querySelector("[data-sent]");

part.addEventListener("dragover", (event) => {
  event.preventDefault();
  part.classList.add("dropping");
});
part.addEventListener("dragleave", () => part.classList.remove("dropping"));
part.addEventListener("drop", (event) => {
  event.preventDefault();
  part.classList.remove("dropping");
  field.files = event.dataTransfer.files;
  part.querySelector("form").requestSubmit();
});
part.addEventListener("htmx:xhr:progress", (event) => {
  if (!event.detail.lengthComputable) return;
  sent.hidden = false;
  sent.max = event.detail.total;
  sent.value = event.detail.loaded;
});
