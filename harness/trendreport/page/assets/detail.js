// The panel of a chosen point: what was different, how the frames lay, and what reproduces it.
const SKETCH_HEIGHT = 170;
const ITS_HISTORY = " (with the --history of this page)";
const ELSEWHERE = "The frames, sensors and verdicts of this session are not in this file. A file with them: ";

/** A table that scrolls in itself; cells are text or elements. */
function grid(caption, head, lines) {
  const cells = (tag, texts, scope) => texts.map((one) => make(tag, scope && { scope }, one));
  const body = lines.map(([first, ...rest]) => make("tr", {}, ...cells("th", [first], "row"), ...cells("td", rest)));
  const top = make("thead", {}, make("tr", {}, ...cells("th", head, "col")));
  const table = make("table", {}, make("caption", {}, caption), top, make("tbody", {}, ...body));
  table.style.minWidth = "min(100%, 35rem)";
  return make("div", { className: "scroller", role: "group", ariaLabel: caption, tabIndex: 0 }, table);
}

function button(text, act, properties) {
  const made = make("button", { type: "button", ...properties }, text);
  made.addEventListener("click", act);
  return made;
}

/** Text with a button that copies it; where the clipboard is closed, the text is selected instead. */
function copyable(text) {
  const shown = make("code", {}, text);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("copied");
    } catch {
      getSelection().selectAllChildren(shown);
      say("selected: press Ctrl+C to copy");
    }
  };
  return make("span", {}, shown, " ", button("copy", copy, { className: "copy", ariaLabel: `copy ${text}` }));
}

/** A figure of curves {xs, ys, ink, dash, width, name}; `text` says it to those who do not see it. */
function sketch(caption, text, curves, [left, right] = extent(curves.flatMap((one) => one.xs))) {
  const canvas = make("canvas", { role: "img", ariaLabel: text });
  const figure = make("figure", { className: "sketch" }, make("figcaption", {}, caption), canvas);
  const [low, high] = heightOf(...extent(curves.flatMap((one) => one.ys)));
  figure.redraw = () => {
    const width = figure.clientWidth || 600;
    const x = { low: left, high: right, ticks: ticks(left, right, width / 90) };
    const y = { low, high, ticks: ticks(low, high, 4), room: 44 };
    const { pen, px, py } = axes(canvas, width, SKETCH_HEIGHT, x, y);
    for (const { xs, ys, ink = "link", dash, width: thick = 1.5, name } of curves) {
      stroke(pen, xs.map((one, i) => [px(one), py(ys[i])]), ink, thick, dash);
      if (name) write(pen, name, px(xs[0]) + 3, py(ys[0]) - 4, ink);
    }
  };
  return figure;
}

function ecdf({ quantiles_ms: now, baseline }) {
  if (!now?.length) return [];
  const ys = now.map((_, i) => i);
  const then = baseline?.quantiles_ms;
  const text = `Half of the frames took at most ${number(now[50])} ms`;
  const caption = "Share of the frames (%) that took at most so many ms";
  if (!then?.length) return [sketch(caption, text, [{ xs: now, ys }])];
  const curves = [{ xs: then, ys, ink: "muted", dash: [5, 4] }, { xs: now, ys }];
  return [sketch(`${caption}. Dashed: ${baseline.what}`, `${text}, ${number(then[50])} ms before`, curves)];
}

function shiftFigure({ shift, baseline }) {
  if (!shift) return [];
  const { at_percent: xs, ratio_percent: ys, low, high, basis } = shift;
  const middle = Math.floor(xs.length / 2);
  const more = `${number(Math.abs(ys[middle]))} % ${ys[middle] < 0 ? "less" : "more"}`;
  const text = `The frame at ${xs[middle]} % took ${more} time`;
  const rim = { xs, width: 0.7 };
  const zero = { xs: [xs[0], xs.at(-1)], ys: [0, 0], ink: "muted", dash: [5, 4] };
  const against = `Compared with: ${baseline?.what}`;
  const caption = `Slower by so many %, quantile by quantile (%); thin: bounds (${basis}). ${against}`;
  return [sketch(caption, text, [zero, { ...rim, ys: low }, { ...rim, ys: high }, { xs, ys, width: 2 }])];
}

/** Where each process begins on a time axis that all share: as its clock says, or behind the one before. */
function offsets(frames) {
  let end = 0;
  return frames.map(({ seconds }) => {
    const offset = (seconds[0] ?? 0) < end ? end : 0;
    end = Math.max(end, offset + (seconds.at(-1) ?? 0));
    return offset;
  });
}

/** Frame by frame, and on the same time axis what the sensors told, a figure per unit. */
function timeFigures({ frames = [], traces = [] }) {
  const starts = offsets(frames);
  const later = (seconds, process) => seconds.map((one) => one + (starts[process] ?? 0));
  const curves = frames.filter((one) => one.seconds.length).map(({ seconds, low_ms: low, high_ms: high }) => ({
    xs: later(seconds, frames.findIndex((one) => one.seconds === seconds)).flatMap((one) => [one, one]),
    ys: low.flatMap((one, i) => [one, high[i]]),
    width: 1,
  }));
  if (!curves.length) return [];
  const span = extent(curves.flatMap((one) => one.xs));
  const [least, most] = extent(curves.flatMap((one) => one.ys)).map((one) => withUnit(one, "ms"));
  const lines = traces.filter((one) => one.value.length).map(({ process, name, unit, seconds, value }) => {
    return { xs: later(seconds, process), ys: value, unit, key: name, name: process ? "" : name };
  });
  const units = [...new Set(lines.map((one) => one.unit))];
  const sensors = units.map((unit) => sensorFigure(unit, lines.filter((one) => one.unit === unit), span));
  return [sketch("Frame by frame (ms) over seconds", `Frames of ${least} to ${most}`, curves, span), ...sensors];
}

function sensorFigure(unit, lines, span) {
  const names = [...new Set(lines.map((one) => one.key))];
  const ranges = names.map((name) => {
    const [least, most] = extent(lines.filter((one) => one.key === name).flatMap((one) => one.ys));
    return `${name} ${number(least)} to ${withUnit(most, unit)}`;
  });
  for (const one of lines) one.ink = `series-${names.indexOf(one.key) % 6}`;
  return sketch(`${names.join(", ")} (${unit}) over seconds`, ranges.join("; "), lines, span);
}

/** Where the time of a frame goes: each bar begins where the one before ended. */
function waterfall({ stages = [] }) {
  const of = ({ name, ms }) => (name === "load" ? 0 : ms);
  const whole = stages.reduce((sum, one) => sum + of(one), 0);
  let before = 0;
  const lines = stages.map((one) => {
    const bar = make("div");
    const share = (100 * of(one)) / (whole || 1);
    const look = { height: "1em", background: "var(--link)" };
    Object.assign(bar.style, { ...look, marginLeft: `${before}%`, width: `${share}%` });
    before += share;
    return [one.name, number(one.ms), bar];
  });
  if (!lines.length) return [];
  return [grid("Stages of a frame, medians; load: once", ["stage", "ms", "share of the frame"], lines)];
}

function environment({ environment: lines = [], baseline }) {
  if (!baseline) return make("p", {}, "There is no earlier session to compare the environment with.");
  if (!lines.length) return make("p", {}, `No difference in the environment. Compared with: ${baseline.what}.`);
  return grid(`What differs in the environment. Compared with: ${baseline.what}`, ["", "then", "now"], lines);
}

function findings(detail) {
  const verdicts = (detail.verdicts ?? []).map(({ metric, outcome, gate, sentence }) => {
    return [metric, gate ? outcome : `${outcome} (advice)`, sentence];
  });
  return [
    ...(verdicts.length ? [grid("Verdicts", ["metric", "outcome", "why"], verdicts)] : []),
    environment(detail), ...ecdf(detail), ...shiftFigure(detail), ...timeFigures(detail), ...waterfall(detail),
    ...(detail.notes ?? []).map((one) => make("p", {}, one)),
  ];
}

function facts(series, position, detail) {
  const { track, metric, unit } = series;
  const command = detail?.command || report.trends.commands[track.command[position]];
  const value = withUnit(series.value[bisect(series.position, position)], unit);
  const list = make("dl", { className: "facts" });
  for (const [name, what] of [
    [metric, `${value} (this session alone), ${outcomeAt(series, position)}`],
    ["session", copyable(detail?.id ?? track.id(position))],
    ["time", `${timeText(track.at[position])}, ${report.trends.purposes[track.purpose[position]] ?? ""}`],
    ["commit", commitLine(track, position)],
    ["reproduce", command ? copyable(command) : "the history does not say how it was measured"],
    ["compare", pickers(track, position)],
  ]) list.append(make("dt", {}, name), make("dd", {}, what));
  return list;
}

function commitLine(track, position) {
  const [hash, subject] = commitOf(track, position);
  if (!hash) return "unknown";
  const line = make("span", {}, copyable(hash), ` ${subject} `);
  const address = report.trends.commit_url.replace("{commit}", encodeURIComponent(hash.replace("+", "")));
  if (/^https?:/.test(address)) line.append(make("a", { href: address, rel: "noreferrer noopener" }, "open"));
  return line;
}

/** The whole panel. Answers its heading. */
function showDetail(series, position) {
  const { track } = series;
  const id = track.id(position);
  const detail = detailOf(track, position);
  const head = make("h2", { tabIndex: -1 }, `${track.key}: session ${id}`);
  const command = copyable(`harness report --detail ${id}`);
  const rest = detail ? findings(detail) : [make("p", {}, ELSEWHERE, command, ITS_HISTORY)];
  const panel = byId("detail");
  const close = button("close", closeDetail, { className: "close" });
  panel.replaceChildren(head, close, facts(series, position, detail), ...rest);
  panel.hidden = false;
  redrawDetail();
  return head;
}

/** Back to the chart that the panel came from. */
function closeDetail() {
  byId("detail").hidden = true;
  remember({ session: undefined });
  charts.byRow.get(report.state.row)?.plot.focus();
}

const redrawDetail = () => document.querySelectorAll("#detail .sketch").forEach((one) => one.redraw());
