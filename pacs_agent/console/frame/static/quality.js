// The charts of the page of quality, each drawn by uPlot when its part is opened. The tables beside them say the same.

const WEEK_S = 7 * 24 * 3600;
const MOST_DATES = 8;
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function seconds(monday) {
  return Date.parse(`${monday}T00:00:00Z`) / 1000;
}

const level = (weeks, value) => weeks.map(() => value);

function line(label, colour, values, more = {}) {
  return { values, shown: { label, stroke: style(colour), width: 2, points: { size: 5 }, ...more } };
}

// What is usual is drawn as a band between two thin lines.
function usual(weeks, low, high) {
  const thin = { width: 1, dash: [4, 4], points: { show: false } };
  return [line("usual from", "--quiet", level(weeks, low), thin), line("usual to", "--quiet", level(weeks, high), thin)];
}

const share = (one) => (one.of ? (100 * one.count) / one.of : null);

const KINDS = {
  present: ({ usual: expected, weeks }) => ({
    label: "Said present, %",
    mondays: weeks.map((one) => one.week),
    lines: [
      ...usual(weeks, 100 * expected.low, 100 * expected.high),
      line("present", "--accent", weeks.map((one) => share(one.spread.present))),
    ],
    range: [0, 100],
    band: true,
  }),
  scores: ({ usual: expected, weeks }) => ({
    label: "Score",
    mondays: weeks.map((one) => one.week),
    lines: [
      ...usual(weeks, expected.p10, expected.p90),
      line("10 %", "--busy", weeks.map((one) => one.spread.p10), { width: 1 }),
      line("median", "--accent", weeks.map((one) => one.spread.median)),
      line("90 %", "--busy", weeks.map((one) => one.spread.p90), { width: 1 }),
    ],
    range: [0, 1],
    band: true,
  }),
  handled: ({ mondays, weeks }) => ({
    label: "Findings",
    mondays,
    lines: [
      line("accepted", "--good", weeks.map((week) => week[0])),
      line("edited", "--warning", weeks.map((week) => week[1])),
      line("rejected", "--bad", weeks.map((week) => week[2])),
      line("added", "--busy", weeks.map((week) => week[3])),
    ],
    range: null,
    band: false,
  }),
};

function draw(target) {
  const given = JSON.parse(target.dataset.quality);
  const { label, mondays, lines, range, band } = KINDS[given.kind](given);
  const times = mondays.map(seconds);
  const axis = { stroke: style("--quiet"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line") } };
  const every = Math.ceil(times.length / MOST_DATES);
  const options = {
    tzDate: (time_s) => window.uPlot.tzDate(new Date(1000 * time_s), "Etc/UTC"), // weeks are counted in UTC
    width: target.clientWidth || 600,
    height: 220,
    series: [{ label: "week of", value: "{YYYY}-{MM}-{DD}" }, ...lines.map((one) => one.shown)],
    axes: [{ ...axis, values: "{YYYY}-{MM}-{DD}", splits: () => times.filter((_, index) => index % every === 0) }, { ...axis, label, labelSize: 18, size: 48 }],
    scales: {
      x: { range: () => [times[0] - WEEK_S / 2, times[times.length - 1] + WEEK_S / 2] },
      y: { range: (_chart, _low, high) => range ?? [0, Math.max(high, 1)] },
    },
    bands: band ? [{ series: [2, 1], fill: `${style("--quiet")}22` }] : [],
  };
  target.replaceChildren();
  new window.uPlot(options, [times, ...lines.map((one) => one.values)], target);
}

function drawWithin(part) {
  for (const target of part.querySelectorAll("[data-quality]")) draw(target);
}

for (const part of document.querySelectorAll("details")) {
  part.addEventListener("toggle", () => part.open && drawWithin(part));
}
document.addEventListener("theme", () => {
  for (const part of document.querySelectorAll("details[open]")) drawWithin(part);
});
