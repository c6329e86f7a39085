// The rows: filters, search, the folds, the keyboard.
const FILTERS = ["device", "model", "variant", "runtime", "metric", "outcome"];
const NO_CHART = "this row has no value in the history, so it has no chart";
const rows = new Map();
// One per table of rows; some are folded.
const groups = [];

function readRows() {
  for (const table of document.querySelectorAll("table.rows")) {
    const fold = table.closest("details");
    const count = fold?.querySelector(".count");
    groups.push({ table, fold, count, members: [], words: count?.textContent, unfolded: false, before: false });
  }
  document.querySelectorAll("tr[data-row]").forEach((element, place) => {
    const { row: key, series } = element.dataset;
    const text = `${key} ${element.textContent}`.toLowerCase();
    const group = groups.find((one) => one.table.contains(element));
    const row = { element, place, key, text, group, series: series ? Number(series) : null };
    rows.set(element, row);
    group.members.push(row);
  });
}

/** True where every filter fits and every word of the search is found. */
function fits({ element, text }, { q = "", ...state }) {
  const chosen = FILTERS.every((name) => !state[name] || element.dataset[name] === state[name]);
  return chosen && q.toLowerCase().split(/\s+/).every((one) => text.includes(one));
}

/** Shows what fits, and says how much and by which filters. */
function filterRows() {
  const { state } = report;
  const asked = ["q", ...FILTERS].filter((name) => state[name]);
  for (const row of rows.values()) row.element.hidden = !fits(row, state);
  const found = groups.map((group) => showGroup(group, asked.length > 0)).reduce((sum, one) => sum + one, 0);
  const by = asked.map((name) => `${name === "q" ? "search" : name} ${state[name]}`).join(", ");
  byId("shown").textContent = `${found} of ${plural(rows.size, "row")}${by && `: ${by}`}`;
  byId("filters").toggleAttribute("data-active", asked.length > 0);
  byId("reset").hidden = !asked.length;
  byId("no-rows").hidden = !asked.length || found > 0;
  chartRows();
}

/** Without its empty table; a fold opens where something is found in it, and is behind that as it was before. */
function showGroup(group, asked) {
  const { table, fold, count, members, words } = group;
  const found = members.filter((row) => !row.element.hidden).length;
  table.parentElement.hidden = !found;
  if (count) count.textContent = asked ? `${found} of ${words}` : words;
  const unfold = asked && found > 0;
  if (fold && unfold !== group.unfolded) [group.before, fold.open] = [fold.open, unfold || group.before];
  group.unfolded = unfold;
  return found;
}

/** Charts follow the filters and the folds. */
function chartRows() {
  const fitting = [...rows.values()].filter((row) => !row.element.hidden && row.series !== null);
  const open = fitting.filter(({ group }) => group.fold?.open ?? true);
  showCharts(open, fitting.length > 0);
}

function filter(changes) {
  timed("filter", () => {
    remember(changes);
    filterRows();
  });
}

function resetFilters() {
  filter(Object.fromEntries(["q", ...FILTERS].map((name) => [name, ""])));
  showFilters();
  byId("search").focus();
}

/** A choice that this page does not offer is none. */
function showFilters() {
  const { state } = report;
  byId("search").value = state.q ?? "";
  for (const select of document.querySelectorAll("[data-filter]")) {
    const name = select.dataset.filter;
    select.value = state[name] ?? "";
    if (select.selectedIndex < 0) state[name] = select.value = "";
  }
}

function listenToRows() {
  for (const select of document.querySelectorAll("[data-filter]")) {
    select.addEventListener("change", () => filter({ [select.dataset.filter]: select.value }));
  }
  byId("search").addEventListener("input", (event) => filter({ q: event.target.value }));
  byId("reset").addEventListener("click", resetFilters);
  for (const { table, fold } of groups) {
    fold?.addEventListener("toggle", chartRows);
    table.addEventListener("keydown", (event) => rows.has(event.target) && rowPressed(rows.get(event.target), event));
    table.addEventListener("click", rowClicked);
  }
}

/** The sparkline and the metric's name lead to the chart; with a key held down the link is the browser's. */
function rowClicked(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || !event.target.closest(".spark, a[href^='#row=']")) return;
  event.preventDefault();
  openChart(rows.get(event.target.closest("tr")));
}

function rowPressed(row, event) {
  const by = { ArrowDown: 1, ArrowUp: -1, Enter: 0 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  if (!by) return openChart(row);
  const visible = [...rows.keys()].filter((one) => one.checkVisibility());
  visible[visible.indexOf(row.element) + by]?.focus();
}

/** Goes to the chart of a row. */
function openChart(row) {
  if (row.series === null) return say(NO_CHART);
  remember({ row: row.key });
  if (row.group.fold) row.group.fold.open = true;
  row.element.hidden = false;
  chartRows();
  const { plot, figure } = chartOf(row);
  figure.scrollIntoView({ block: "center" });
  plot.focus({ preventScroll: true });
}
