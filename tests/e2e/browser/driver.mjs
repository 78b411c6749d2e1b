/**
 * Plays scenarios in one Chromium, one after the other, as pytest asks for them.
 *
 * Lines of JSON come in:   {"play": "evidence", "given": {...}}    and {"answer": ...} to what a scenario asks
 * Lines of JSON go out:    {"ask": "name", "with": ...}            the scenario wants something done outside of the browser
 *                          {"done": facts, "heard": {...}}         it ended; `heard` is what the page said meanwhile
 *                          {"failed": "why", "picture": "path", "heard": {...}}
 *
 * Every scenario is a file of ../scenarios with a default export `async ({ given, user, ask }) => facts`.
 */
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { Stage } from './stage.mjs';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-precise-memory-info',
  '--js-flags=--expose-gc',
];

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
say({ ready: browser.version() });

for (let request = await hear(); request !== null; request = await hear()) {
  say(await play(request));
}
await browser.close();

/** Plays one scenario on a fresh stage: nothing is left over of the one before. */
async function play({ play: name, given }) {
  const stage = new Stage(browser, given);
  try {
    const { default: scenario } = await import(`../scenarios/${name}.mjs`);
    const facts = await scenario({ given, ask, user: (options) => stage.user(options) });
    return { done: facts ?? {}, heard: stage.heard };
  } catch (error) {
    return { failed: error.stack ?? String(error), picture: await stage.picture(), heard: stage.heard };
  } finally {
    await stage.clear();
  }
}

/** Has pytest do something outside of the browser; its answer. */
async function ask(name, detail = null) {
  say({ ask: name, with: detail });
  return (await hear()).answer;
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function hear() {
  const { value, done } = await lines.next();
  return done ? null : JSON.parse(value);
}
