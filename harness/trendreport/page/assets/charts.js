// The grid of charts: what is drawn when, with one range of x and one crosshair for all.
const HEIGHT = 220;
const MOST_CANVASES = 40;
const CLICK_PX = 14;
const HINT = `Drag to zoom, click a point for its session, double click to zoom out. Keys on a chart: arrows move the \
crosshair (with Shift the range), + and - zoom, Enter opens the session, Escape zooms out.`;
const ALL_FOLDED = "None of the open rows has a chart; folded rows show theirs when they are unfolded.";
const MOST_SUBJECT = 60;
const charts = { byRow: new Map(), drawn: [], cursor: null, width: 0 };

const pointsOf = once((key) => arrange(seriesOf(Number(key.split(" ")[0])), key.split(" ")[1]));
const xMode = () => report.state.x ?? "session";
const inView = () => [...charts.byRow.values()].filter((one) => one.near && !one.figure.hidden);

/** Makes an element. Texts become text, never markup. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A chart is drawn when it comes near the screen. */
function watchCharts() {
  const grid = byId("chart-grid");
  grid.before(make("p", { className: "muted hint" }, HINT));
  charts.none = make("p", {}, ALL_FOLDED);
  charts.watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) charts.byRow.get(target.dataset.row).near = isIntersecting;
    drawNear();
  }, { rootMargin: "200px" });
  new ResizeObserver(() => {
    if (charts.width !== grid.clientWidth) redrawCharts();
    charts.width = grid.clientWidth;
  }).observe(grid);
}

/** One figure per row, in the order of the rows; the panel of a point stays behind its own. more: some are folded. */
function showCharts(rows, more) {
  const before = charts.byRow.size;
  const shown = new Set(rows.map(chartOf));
  for (const one of charts.byRow.values()) one.figure.hidden = !shown.has(one);
  charts.none.hidden = shown.size > 0 || !more;
  if (before && charts.byRow.size === before) return;
  const [grid, panel] = ["chart-grid", "detail"].map(byId);
  const behind = panel.previousElementSibling;
  const ordered = [...charts.byRow.values()].sort((a, b) => a.row.place - b.row.place);
  grid.append(charts.none, ...ordered.map((one) => one.figure));
  if (grid.contains(panel)) behind.after(panel);
}

function chartOf(row) {
  if (!charts.byRow.has(row.key)) charts.byRow.set(row.key, makeChart(row));
  return charts.byRow.get(row.key);
}

function makeChart(row) {
  const [brush, cross] = [layer({ background: "currentcolor", opacity: 0.15 }), layer({ borderLeft: "1px solid" })];
  const plot = make("div", { className: "plot", tabIndex: 0, role: "application", ariaLabel: row.key }, brush, cross);
  Object.assign(plot.style, { position: "relative", minHeight: `${HEIGHT}px`, touchAction: "pan-y" });
  const said = make("p", { className: "readout" });
  const figure = make("figure", { className: "chart" }, make("figcaption", {}, row.key), said, plot);
  const chart = { row, figure, said, plot, brush, cross, stale: true };
  figure.dataset.row = row.key;
  listen(chart);
  charts.watch.observe(figure);
  return chart;
}

function layer(style) {
  const one = make("div", { hidden: true });
  Object.assign(one.style, { position: "absolute", top: 0, bottom: "20px", pointerEvents: "none" }, style);
  return one;
}

/** Canvases are large, so those that have left the screen are given back when there are too many. */
function drawNear() {
  for (const one of inView()) if (one.stale) drawChart(one);
  letScroll();
  const away = charts.drawn.filter((one) => !one.near);
  for (const one of away.slice(0, Math.max(0, charts.drawn.length - MOST_CANVASES))) dropCanvas(one);
}

function redrawCharts() {
  for (const one of charts.byRow.values()) one.stale = true;
  drawNear();
}

function drawChart(chart) {
  const series = seriesOf(chart.row.series);
  const points = pointsOf(`${series.number} ${xMode()}`);
  if (!chart.canvas) {
    chart.canvas = make("canvas", { ariaHidden: "true" });
    chart.plot.prepend(chart.canvas);
    charts.drawn.push(chart);
  }
  chart.plot.ariaLabel = `${chart.row.key}. ${summary(series)}`;
  const width = chart.plot.clientWidth || 600;
  chart.scene = drawTrend(chart.canvas, width, HEIGHT, series, points, xMode(), rangeOf(points));
  chart.stale = false;
  placeCursor(chart);
}

function dropCanvas(chart) {
  charts.drawn.splice(charts.drawn.indexOf(chart), 1);
  Object.assign(chart.canvas, { width: 0, height: 0 }).remove();
  Object.assign(chart, { canvas: null, scene: null, stale: true });
}

/** A chart in words. */
function summary(series) {
  const { track, value, position, decimated, steps } = series;
  if (!value.length) return "no value";
  const count = decimated ? `${value.length} of ${plural(decimated, "value")}` : plural(value.length, "value");
  const newest = pointText(series, position.at(-1), value.at(-1));
  const changes = `${plural(steps.length, "change")} of level`;
  return `Newest of ${count} in ${plural(track.count, "session")}, ${changes}: ${newest}`;
}

/** A point in words. */
function pointText(series, position, value) {
  const { track, unit } = series;
  const [hash, subject] = commitOf(track, position);
  const commit = hash ? `commit ${hash} ${cut(subject, MOST_SUBJECT)}` : "no commit";
  const parts = [`session ${track.id(position)}`, timeText(track.at[position]), commit];
  return [withUnit(value, unit), outcomeAt(series, position), ...parts].join(", ");
}

function outcomeAt({ outcome, position, track }, session) {
  const code = outcome[bisect(position, session)];
  return outcomeName(code) + (track.valid[session] || code === INVALID ? "" : ", an invalid session");
}

/** What the zoom shows, else everything. */
function rangeOf(points) {
  const { from, to } = report.state;
  return from === undefined ? wholeRange(points) : [from, to];
}

/** Dates are those of all cases, so that charts can be compared. */
function wholeRange({ x, count }) {
  if (xMode() !== "date") return [(x[0] ?? 0) - 0.5, (x[count - 1] ?? 0) + 0.5];
  const [low, high] = allDates();
  const rim = Math.max(DAY_S / 2, 0.01 * (high - low));
  return [low - rim, high + rim];
}

const allDates = once(() => {
  const tracks = report.trends.cases.map((_, i) => caseOf(i)).filter((one) => one.count);
  return extent(tracks.flatMap(({ at, count }) => [at[0], at[count - 1]]));
});

/** All charts go to a range of x; without one, to everything. */
function zoom(from, to) {
  if (to - from < (xMode() === "date" ? HOUR_S : 2)) return;
  timed("zoom", () => {
    remember({ from, to });
    byId("zoom-out").disabled = from === undefined;
    redrawCharts();
  });
}

/** Moves the range by a share of it, and widens it by a factor around the crosshair; never beyond everything. */
function zoomBy(scene, share, factor) {
  const { points, low, high } = scene;
  const [first, last] = wholeRange(points);
  const span = (high - low) * factor;
  if (span >= last - first) return zoom();
  const x = charts.cursor ? points.x[cursorPoint(scene)] : high;
  const middle = x >= low && x <= high ? x : (low + high) / 2;
  const wanted = middle - (middle - low) * factor + share * (high - low);
  const from = Math.min(Math.max(wanted, first), last - span);
  zoom(from, from + span);
}

function zoomTo({ box, low, high }, left, right) {
  const value = linear(box.left, box.right, low, high);
  zoom(Math.max(low, value(left)), Math.min(high, value(right)));
}

/** The point under the crosshair: of the same session, in another case of the nearest in time. */
function cursorPoint({ series, points }) {
  const { track, position } = charts.cursor;
  const there = series.track === track ? position : nearestIn(series.track.at, track.at[position]);
  return points.position.indexOf(series.position[nearestIn(series.position, there)]);
}

function setCursor(series, position) {
  charts.cursor = { track: series.track, position };
  for (const one of inView()) if (one.scene) placeCursor(one);
  letScroll();
}

/** Words that have too little room can be scrolled with the keyboard too. Read after all were written: one layout. */
function letScroll() {
  for (const { said } of inView()) said.tabIndex = said.scrollHeight > said.clientHeight ? 0 : -1;
}

function placeCursor({ scene, cross, said }) {
  const i = charts.cursor ? cursorPoint(scene) : -1;
  const x = scene.points.x[i];
  cross.hidden = !(x >= scene.low && x <= scene.high);
  cross.style.left = `${scene.px(x)}px`;
  said.textContent = i < 0 ? summary(scene.series) : cursorText(scene, i);
}

function cursorText({ series, points, events, px }, i) {
  const { x, value, position } = points;
  const near = events.filter((one) => one.index === position[i] || Math.abs(px(one.x) - px(x[i])) < 7);
  return [pointText(series, position[i], value[i]), ...near.map((one) => one.text)].join(" | ");
}

/** Drag zooms, a click chooses the point, a double click zooms out. */
function listen(chart) {
  const { plot, brush } = chart;
  let start = null;
  const on = (kind, act) => plot.addEventListener(kind, (event) => {
    const edge = plot.getBoundingClientRect();
    if (chart.scene) act(event.clientX - edge.left, event.clientY - edge.top, event);
  });
  const end = () => ([start, brush.hidden] = [null, true]);
  on("pointerdown", (x, y, event) => {
    if (event.button) return;
    start = x;
    plot.setPointerCapture(event.pointerId);
  });
  on("pointermove", (x, y) => {
    const i = nearest(chart.scene, x, y);
    if (i >= 0) setCursor(chart.scene.series, chart.scene.points.position[i]);
    if (start === null) return;
    brush.hidden = Math.abs(x - start) < 5;
    Object.assign(brush.style, { left: `${Math.min(x, start)}px`, width: `${Math.abs(x - start)}px` });
  });
  on("pointerup", (x, y) => {
    if (start === null) return;
    if (brush.hidden) clickAt(chart, x, y);
    else zoomTo(chart.scene, Math.min(x, start), Math.max(x, start));
    end();
  });
  on("pointercancel", end);
  on("dblclick", () => zoom());
  on("keydown", (x, y, event) => pressed(chart, event));
}

function clickAt({ row, scene }, x, y) {
  const { points, px, py } = scene;
  const i = nearest(scene, x, y);
  if (Math.hypot(px(points.x[i]) - x, py(points.value[i]) - y) <= CLICK_PX) choose(row, points.position[i]);
}

const KEYS = {
  "+": ({ scene }) => zoomBy(scene, 0, 0.5),
  "=": ({ scene }) => zoomBy(scene, 0, 0.5),
  "-": ({ scene }) => zoomBy(scene, 0, 2),
  Escape: () => zoom(),
  ArrowLeft: ({ scene }, shift) => (shift ? zoomBy(scene, -0.25, 1) : step(scene, -1)),
  ArrowRight: ({ scene }, shift) => (shift ? zoomBy(scene, 0.25, 1) : step(scene, 1)),
  Home: ({ scene }) => step(scene, -Infinity),
  End: ({ scene }) => step(scene, Infinity),
  Enter: ({ row, scene }) => charts.cursor && choose(row, scene.points.position[cursorPoint(scene)]),
};

function pressed(chart, event) {
  if (!Object.hasOwn(KEYS, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  if (chart.scene.points.count) KEYS[event.key](chart, event.shiftKey);
}

/** The crosshair goes some points along and says where it is; the range follows. */
function step(scene, by) {
  const { points, series, low, high } = scene;
  const here = charts.cursor ? cursorPoint(scene) : points.count - 1;
  const i = Math.min(Math.max(here + by, 0), points.count - 1);
  const half = (high - low) / 2;
  if (points.x[i] < low || points.x[i] > high) zoom(points.x[i] - half, points.x[i] + half);
  setCursor(series, points.position[i]);
  say(cursorText(scene, i));
}
