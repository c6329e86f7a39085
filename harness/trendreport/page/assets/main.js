// The state stands in the fragment of the address, so that a link shows what its sender saw.
function readState(fragment) {
  const state = {};
  for (const [name, value] of new URLSearchParams(fragment.slice(1))) state[name.replace("filter.", "")] = value;
  const [from, to] = [Number(state.from ?? NaN), Number(state.to ?? NaN)];
  const zoomed = Number.isFinite(to - from) && from < to;
  const x = Object.hasOwn(X_TICKS, state.x) ? state.x : undefined;
  return { ...state, x, from: zoomed ? from : undefined, to: zoomed ? to : undefined };
}

function fragmentOf(state) {
  const known = Object.entries(state).filter(([, value]) => value !== undefined && value !== "");
  const named = known.map(([name, value]) => [FILTERS.includes(name) ? `filter.${name}` : name, value]);
  return String(new URLSearchParams(named));
}

function remember(changes) {
  Object.assign(report.state, changes);
  try {
    history.replaceState(null, "", `#${fragmentOf(report.state)}`);
  } catch {
    // Browsers refuse too many changes in a row; the next one catches up.
  }
}

/** For those who do not see what changed. */
function say(text) {
  byId("said").textContent = text;
}

/** Leaves on the browser's own timeline how long it took. */
function timed(name, act) {
  const start = performance.now();
  act();
  performance.measure(name, { start, end: performance.now() });
}

/** A point was chosen: its panel opens behind the chart, and both are in sight. */
function choose(row, position) {
  const series = seriesOf(row.series);
  const { figure } = chartOf(row);
  remember({ row: row.key, session: series.track.id(position) });
  setCursor(series, position);
  figure.after(byId("detail"));
  const head = showDetail(series, position);
  figure.scrollIntoView();
  head.focus({ preventScroll: true });
}

function redrawAll() {
  readInks();
  redrawCharts();
  redrawDetail();
}

/** Without a theme the page is as the system wants it. */
function setTheme(theme) {
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
  redrawAll();
}

function toggleTheme() {
  const shown = document.documentElement.dataset.theme ?? (darkSystem().matches ? "dark" : "light");
  remember({ theme: shown === "dark" ? "light" : "dark" });
  setTheme(report.state.theme);
}

const darkSystem = () => matchMedia("(prefers-color-scheme: dark)");

/** Paper is light, and shows charts that were never in sight. */
function beforePrint() {
  paper.dots = 2;
  setTheme("light");
  const shown = [...charts.byRow.values()].filter((one) => !one.figure.hidden);
  shown.slice(0, MOST_CANVASES).forEach(drawChart);
}

function afterPrint() {
  paper.dots = 1;
  setTheme(report.state.theme);
}

function listenToPage() {
  const on = (id, kind, act) => byId(id).addEventListener(kind, act);
  on("theme", "click", toggleTheme);
  on("zoom-out", "click", () => zoom());
  on("x-mode", "change", (event) => {
    remember({ x: event.target.value });
    zoom();
  });
  darkSystem().addEventListener("change", redrawAll);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  addEventListener("hashchange", () => {
    if (location.hash.includes("=")) apply();
    else if (fragmentOf(report.state)) remember({});
  });
  addEventListener("keydown", ({ key }) => key === "Escape" && report.state.session && closeDetail());
}

/** The page becomes what the fragment says. */
function apply() {
  const state = (report.state = readState(location.hash));
  showFilters();
  byId("x-mode").value = xMode();
  byId("zoom-out").disabled = state.from === undefined;
  setTheme(state.theme);
  filterRows();
  for (const side of SIDES) if (state[side]) fillSelect(side);
  showSessions();
  const row = [...rows.values()].find((one) => one.key === state.row);
  if (row) openChart(row);
  if (row && row.series !== null && state.session) openSession(row, state.session);
}

function openSession(row, id) {
  const found = sessionNamed(`${seriesOf(row.series).track.key} ${id.slice(0, 8)}`);
  if (found) choose(row, found[1]);
}

function start() {
  report.trends = readJson("trends");
  if (!report.trends) return;
  readRows();
  watchCharts();
  listenToRows();
  listenToSessions();
  listenToPage();
  apply();
  performance.mark("interactive");
}

start();
