// One chart on a canvas, in CSS pixels. A scene is {pen, box, px, py}; that of a trend knows its points and events too.
const OUTCOME_INKS = ["fail", "invalid", "inconclusive", "not-comparable", "no-baseline", "pass", "not-judged"];
const [FAIL, INVALID, PASS] = [0, 1, 5];
const ROW = 12;
/** The colour of a custom property in the theme that is shown. */
let inkOf;
/** The least number of dots per CSS pixel: paper shows more than a screen. */
const paper = { dots: 1 };

/** To be called when the theme has changed. */
function readInks() {
  const style = getComputedStyle(document.documentElement);
  inkOf = once((name) => style.getPropertyValue(`--${name}`));
}

/** A pen on an empty canvas of this size. */
function penOn(canvas, width, height) {
  const ratio = Math.max(paper.dots, window.devicePixelRatio);
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  Object.assign(canvas.style, { display: "block", width: "100%", maxWidth: `${width}px` });
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "11px system-ui, sans-serif";
  return pen;
}

/** Text with a rim of the ground's colour, so that it can be read on lines. */
function write(pen, text, x, y, ink, align = "left") {
  Object.assign(pen, { textAlign: align, strokeStyle: inkOf("background"), lineWidth: 3, fillStyle: inkOf(ink) });
  pen.strokeText(text, x, y);
  pen.fillText(text, x, y);
}

function stroke(pen, corners, ink, width = 1, dash = []) {
  pen.beginPath();
  for (const [x, y] of corners) pen.lineTo(x, y);
  Object.assign(pen, { strokeStyle: inkOf(ink), lineWidth: width });
  pen.setLineDash(dash);
  pen.stroke();
  pen.setLineDash([]);
}

/** The middle of a dot: a line there is one dot wide and not two pale ones. */
const crisp = (place) => Math.round(place) + 0.5;

/** Axes on an empty canvas; x and y are {low, high, ticks}, y.room: for its texts. What follows stays inside them. */
function axes(canvas, width, height, x, y) {
  const pen = penOn(canvas, width, height);
  const widest = Math.max(y.room ?? 24, ...y.ticks.map((one) => pen.measureText(one.text).width));
  const box = { left: crisp(Math.min(widest + 10, width / 3)), right: width - 12, top: 16, bottom: crisp(height - 20) };
  const px = linear(x.low, x.high, box.left, box.right);
  const py = linear(y.low, y.high, box.bottom, box.top);
  for (const { at, text } of y.ticks) {
    stroke(pen, [[box.left, crisp(py(at))], [box.right, crisp(py(at))]], "line");
    write(pen, text, box.left - 5, py(at) + 4, "muted", "right");
  }
  writeTicks(pen, x.ticks, px, box);
  stroke(pen, [[box.left, box.top], [box.left, box.bottom], [box.right, box.bottom]], "muted");
  pen.beginPath();
  pen.rect(box.left, 0, width - box.left, box.bottom);
  pen.clip();
  return { pen, box, px, py };
}

/** A tick whose text has no room goes without. */
function writeTicks(pen, marks, px, box) {
  let free = 0;
  for (const { at, text } of marks) {
    const half = pen.measureText(text).width / 2;
    const middle = Math.min(Math.max(px(at), half + 2), box.right + 10 - half);
    if (middle - half < free) continue;
    write(pen, text, middle, box.bottom + 15, "muted", "center");
    stroke(pen, [[crisp(px(at)), box.bottom], [crisp(px(at)), box.bottom + 4]], "muted");
    free = middle + half + 8;
  }
}

/** The shapes of the outcomes, so that colour never is alone. These add one to the path. */
const polygon = (...corners) => (pen, x, y, r) => {
  corners.forEach(([dx, dy], i) => pen[i ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
  pen.closePath();
};
const disc = (size) => (pen, x, y, r) => {
  pen.moveTo(x + size * r, y);
  pen.arc(x, y, size * r, 0, 2 * Math.PI);
};
const cross = (pen, x, y, r) => {
  for (const side of [-r, r]) {
    pen.moveTo(x - r, y - side);
    pen.lineTo(x + r, y + side);
  }
};
const square = polygon([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]);
const diamond = polygon([0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]);
const triangle = polygon([-1.2, 1], [0, -1.2], [1.2, 1]);
const SHAPES = [cross, disc(1), square, diamond, triangle, disc(0.8), disc(0.6)];

/** Each is filled by itself: one path of thousands of marks takes ten times as long. */
function drawMarks({ pen, px, py, points }, marks, code, size) {
  const ink = inkOf(OUTCOME_INKS[code]);
  const fill = code === INVALID ? inkOf("background") : ink;
  Object.assign(pen, { fillStyle: fill, strokeStyle: ink, lineWidth: code ? 1.5 : 2.4 });
  for (const i of marks) {
    pen.beginPath();
    SHAPES[code](pen, px(points.x[i]), py(points.value[i]), size);
    pen.fill();
    if (code <= INVALID) pen.stroke();
  }
}

/** The worst are drawn last, so that nothing lies over them; where there are many, all but the worst shrink. */
function drawPoints(scene) {
  const { points, visible, px, box } = scene;
  const kept = decimate(visible, (i) => Math.round(px(points.x[i]) / 2), points.value, (i) => points.code[i]);
  const room = (box.right - box.left) / (kept.length || 1) / 2;
  for (let code = SHAPES.length - 1; code >= 0; code--) {
    const least = code === FAIL ? 4 : code < PASS ? 3 : 1.8;
    drawMarks(scene, kept.filter((i) => points.code[i] === code), code, Math.min(4, Math.max(least, room)));
  }
}

/** The line joins the valid sessions of one identity; its ink is no outcome's. */
function drawLine({ pen, px, py, points }, among) {
  const valid = among.filter((i) => points.valid[i]);
  const kept = decimate(valid, (i) => Math.round(px(points.x[i])), points.value);
  pen.beginPath();
  kept.forEach((one, i) => {
    const joined = points.identity[one] === points.identity[kept[i - 1]];
    pen[joined ? "lineTo" : "moveTo"](px(points.x[one]), py(points.value[one]));
  });
  Object.assign(pen, { strokeStyle: inkOf("muted"), lineWidth: 1 });
  pen.stroke();
}

function drawBand({ pen, box, px, py, series, mode, labels }) {
  if (!series.band) return;
  const [low, high, first, sessions] = series.band;
  const left = Math.max(box.left, px(xOf(series.track, first, mode)));
  pen.fillStyle = inkOf("band");
  pen.fillRect(left, py(high), box.right - left, py(low) - py(high));
  const text = `band: 95 % of new sessions (from ${sessions} accepted)`;
  labels.push({ text, start: left + 4, rows: [box.bottom - 4], ink: "muted" });
}

/** The strictest limit has the best place for its name. One off the chart is named at the edge that it lies beyond. */
function drawLimits({ pen, box, py, series, labels }) {
  const strictest = series.better === "more" ? -1 : 1;
  for (const [limit, gate] of series.limits.toSorted(([a], [b]) => strictest * (a - b))) {
    const y = crisp(Math.min(Math.max(py(limit), box.top), box.bottom));
    const beyond = py(limit) < box.top ? " \u2191" : py(limit) > box.bottom ? " \u2193" : "";
    if (!beyond) stroke(pen, [[box.left, y], [box.right, y]], "budget", 1, gate ? [] : [6, 4]);
    const [first, away] = y < box.top + 40 ? [Math.max(y + ROW, box.top + 3 * ROW), ROW] : [y - 4, -ROW];
    const rows = Array.from({ length: 12 }, (_, i) => first + i * away);
    labels.push({ text: limitText(series, limit, gate) + beyond, start: box.right, rows, ink: "budget" });
  }
}

/** No public text names a limit per frame, so the page must not look as if one did. */
function limitText({ metric, unit }, limit, gate) {
  const own = metric === "frame_p99_ms" && limit === 50 ? " (the project's own budget)" : "";
  return `${gate ? "budget" : "advice"} ${withUnit(limit, unit)}${own}`;
}

/** What happened at a session: another identity, a change of level, a remark; what needs its label most comes first. */
function eventsOf({ track, steps }, mode) {
  const x = (index) => xOf(track, index, mode);
  const edge = (index) => ({ index, x: index ? (x(index - 1) + x(index)) / 2 : x(index) });
  const boundaries = track.boundaries.map(([index, text]) => {
    return { ...edge(index), text, label: boundaryName(track, index), ink: "muted", dash: [4, 3] };
  });
  const changes = steps.map(([index, change, p]) => {
    const [sign, word] = change > 0 ? ["\u25b2", "worse"] : ["\u25bc", "better"];
    const text = `change of level: ${number(Math.abs(change))} % ${word} (p = ${number(p)})`;
    return { ...edge(index), text, label: `${sign} ${percent(change)}`, ink: "text", dash: [1, 3] };
  });
  const own = report.trends.annotations.filter((one) => one.case === null || one.case === track.number);
  const remarks = own.map(({ at, kind, text, author }) => {
    const seconds = Date.parse(at) / 1000;
    const place = edge(Math.min(bisect(track.at, seconds), track.count - 1));
    const date = mode === "date" && { x: seconds };
    return { ...place, ...date, text: `${kind}: ${text} (${author})`, label: cut(text, 26), ink: "link", dash: [] };
  });
  return [...boundaries, ...changes, ...remarks];
}

/** The first thing that differs, and how many more. */
function boundaryName({ identity }, index) {
  const [[name, before, now] = [], ...more] = differing(identity[index - 1], identity[index]);
  const rest = more.length ? ` and ${more.length} more` : "";
  return name ? cut(`${name} ${before}\u2192${now}`, 30) + rest : "";
}

/** The first are drawn last, so that none lies over them. */
function drawEvents({ pen, box, px, events, low, high, labels }) {
  const seen = events.filter((one) => one.x >= low && one.x <= high);
  for (const { x, ink, dash } of seen.toReversed()) {
    stroke(pen, [[crisp(px(x)), box.top], [crisp(px(x)), box.bottom]], ink, 1, dash);
  }
  const rows = [box.top - 4, box.top - 4 + ROW, box.top - 4 + 2 * ROW];
  labels.push(...seen.map(({ x, label: text, ink }) => ({ text, start: px(x) + 3, rows, ink })));
}

/** Each stands in its first row where it covers no other; without a free row its words come with the crosshair only. */
function writeLabels({ pen, box, labels }) {
  const taken = [];
  for (const { text, start, rows, ink } of labels) {
    const { width } = pen.measureText(text);
    const left = Math.min(start, box.right - width);
    const apart = (y, one) => Math.abs(one.y - y) >= ROW || left >= one.right || left + width <= one.left;
    const y = rows.find((row) => taken.every((one) => apart(row, one)));
    if (!text || y === undefined) continue;
    write(pen, text, left, y, ink);
    taken.push({ y, left, right: left + width + 6 });
  }
}

const X_TICKS = {
  date: dateTicks,
  session: (...range) => ticks(...range, 1).map((one) => (one.at ? one : { at: 0, text: "newest" })),
  commit: (...range) => ticks(...range, 1).map(({ at }) => ({ at, text: commitName(commitPlaces().order[at]) })),
};
const commitName = (one) => (one === undefined ? "" : report.trends.commits[one]?.[0].slice(0, 8) || "no commit");

/** Draws a trend on a range of x. Answers the scene. */
function drawTrend(canvas, width, height, series, points, mode, [low, high]) {
  const first = bisect(points.x, low);
  const visible = Array.from({ length: bisect(points.x, high + 1e-9) - first }, (_, i) => first + i);
  const lines = [...series.limits.map(([limit]) => limit), ...(series.band ?? []).slice(0, 2)];
  const [bottom, top] = visible.length ? heightOf(...extent(visible.map((i) => points.value[i])), lines) : [0, 1];
  const x = { low, high, ticks: X_TICKS[mode](low, high, Math.max(2, Math.floor(width / 90))) };
  const y = { low: bottom, high: top, ticks: ticks(bottom, top, 5) };
  const events = eventsOf(series, mode);
  const scene = { ...axes(canvas, width, height, x, y), series, points, visible, mode, low, high, events, labels: [] };
  drawBand(scene);
  drawLimits(scene);
  drawEvents(scene);
  drawLine(scene, [first - 1, ...visible, first + visible.length].filter((i) => i in points.x));
  writeLabels(scene);
  drawPoints(scene);
  return scene;
}

/** The point that is nearest to a place on the canvas: along x first, then along y; -1 where there is none. */
function nearest({ points, visible, px, py }, x, y) {
  let [best, least] = [-1, Infinity];
  for (const i of visible) {
    const aside = Math.max(0, Math.abs(px(points.x[i]) - x) - 3);
    const far = 1000 * aside + Math.abs(py(points.value[i]) - y);
    if (far < least) [best, least] = [i, far];
  }
  return best;
}
