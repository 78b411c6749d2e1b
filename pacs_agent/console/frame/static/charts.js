// The charts of the overview: the last 24 hours, drawn by uPlot in the colours of the theme, and drawn anew on news.

const place = document.querySelector("[data-charts]");
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const HEIGHT_PX = 190;

const CHARTS = {
  arrivals: {
    // images are many times as many as studies: each has an axis of its own
    scales: { x: { time: true, range: halfAnHourAround }, images: { range: fromZero }, studies: { range: fromZero } },
    series: (hours) => [
      { label: "Images", scale: "images", fill: `${style("--accent")}33`, stroke: style("--accent"), paths: bars(), points: { show: false }, values: hours.map((hour) => hour.images) },
      { label: "Studies", scale: "studies", stroke: style("--warning"), width: 2, points: { size: 5 }, values: hours.map((hour) => hour.studies) },
    ],
    axes: [{ scale: "images", label: "Images" }, { scale: "studies", label: "Studies", side: 1, grid: { show: false } }],
  },
  times: {
    scales: { x: { time: true, range: halfAnHourAround }, seconds: { range: fromZero } },
    series: (hours) => [
      { label: "Median", scale: "seconds", stroke: style("--accent"), width: 2, points: { size: 5 }, values: hours.map((hour) => hour.time_to_report.p50_s) },
      { label: "95 % within", scale: "seconds", stroke: style("--warning"), width: 2, dash: [5, 4], points: { size: 5 }, values: hours.map((hour) => hour.time_to_report.p95_s) },
    ],
    axes: [{ scale: "seconds", label: "Seconds" }],
  },
};

let drawn = [];
let hours = [];

function fromZero(_chart, _low, high) {
  return [0, Math.max(1, (high ?? 0) * 1.15)];
}

function halfAnHourAround(_chart, low, high) {
  return [low - 1800, high + 1800];
}

/** Hours of the day; the day itself where it begins. */
function hoursOfDay(_chart, ticks) {
  return ticks.map((at) => {
    const time = new Date(at * 1000);
    const hour = `${String(time.getHours()).padStart(2, "0")}:00`;
    return time.getHours() === 0 ? `${hour}\n${time.toLocaleDateString(undefined, { day: "numeric", month: "short" })}` : hour;
  });
}

function bars() {
  return window.uPlot.paths.bars({ size: [0.7, 40] });
}

function axis(given) {
  const quiet = style("--quiet");
  return { stroke: quiet, grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line"), width: 1 }, size: 56, font: "12px system-ui", labelFont: "12px system-ui", labelSize: 18, ...given };
}

function draw() {
  for (const chart of drawn) chart.destroy();
  drawn = [...place.querySelectorAll("[data-chart]")].map((target) => {
    const { scales, series, axes } = CHARTS[target.dataset.chart];
    const lines = series(hours);
    const options = {
      width: Math.max(280, target.clientWidth),
      height: HEIGHT_PX,
      scales,
      series: [{ label: "Hour from", value: (_chart, at) => (at === null ? "–" : new Date(at * 1000).toLocaleString()) }, ...lines.map(({ values: _of, ...line }) => line)],
      axes: [axis({ size: 48, grid: { show: false }, values: hoursOfDay }), ...axes.map(axis)],
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      legend: { live: true },
    };
    const at = hours.map((hour) => Date.parse(hour.begins_at) / 1000);
    return new window.uPlot(options, [at, ...lines.map((line) => line.values)], target);
  });
}

async function load() {
  const answer = await fetch(place.dataset.charts, { headers: { Accept: "application/json" } });
  if (!answer.ok) return; // the page itself says what is wrong
  ({ hours } = await answer.json());
  draw();
}

if (place) {
  await load();
  document.body.addEventListener("changed-overview", load);
  document.addEventListener("theme", draw);
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", draw);
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 150);
  });
}
