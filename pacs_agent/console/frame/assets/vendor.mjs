// Copies the pinned files of other people into the folder that the console serves. They are kept in the repository, so
// that an agent needs no Node.js; a test compares their digests with this list's result in ../static/vendor/SHA256SUMS.
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";

const FILES = {
  "htmx.min.js": "htmx.org/dist/htmx.min.js",
  "htmx.LICENSE": "htmx.org/LICENSE",
  "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
  "uPlot.min.css": "uplot/dist/uPlot.min.css",
  "uPlot.LICENSE": "uplot/LICENSE",
};
const here = new URL("./", import.meta.url);
const vendor = new URL("../static/vendor/", here);

await mkdir(vendor, { recursive: true });
const sums = [];
for (const [name, source] of Object.entries(FILES)) {
  await cp(new URL(`node_modules/${source}`, here), new URL(name, vendor));
  sums.push(`${createHash("sha256").update(await readFile(new URL(name, vendor))).digest("hex")}  ${name}`);
}
await writeFile(new URL("SHA256SUMS", vendor), `${sums.join("\n")}\n`);
