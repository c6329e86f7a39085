// Any two sessions side by side. One session on each side is no verdict, and the page says so.
const NEWEST_LISTED = 50;
const CHOOSE = "choose a session";
const SIDES = ["a", "b"];
const selectOf = (side) => byId(`session-${side}`);
const nameOf = (track, position) => `${track.key} ${track.id(position)}`;

/** The session of such a name as [case, position]; null where there is none. */
function sessionNamed(name = "") {
  const [, key, id] = name.match(/^(.*) (\S{8})$/s) ?? [];
  const number = report.trends.cases.findIndex((one) => one.parts.join("/") === key);
  if (number < 0) return null;
  const track = caseOf(number);
  const position = track.identity.findLastIndex((_, i) => track.id(i) === id);
  return position < 0 ? null : [track, position];
}

/** The newest of each case, and the chosen one. Made when first asked for: there may be thousands. */
function fillSelect(side) {
  const select = selectOf(side);
  const chosen = report.state[side] ?? "";
  const groups = report.trends.cases.map((_, number) => sessionGroup(caseOf(number)));
  select.replaceChildren(make("option", { value: "" }, CHOOSE), ...groups);
  select.value = chosen;
  if (select.value !== chosen && sessionNamed(chosen)) select.append(sessionOption(...sessionNamed(chosen)));
  select.value = chosen;
  select.dataset.filled = "yes";
}

function sessionGroup(track) {
  const newest = Array.from({ length: Math.min(track.count, NEWEST_LISTED) }, (_, i) => track.count - 1 - i);
  const group = make("optgroup", { label: track.key }, ...newest.map((position) => sessionOption(track, position)));
  const older = `${track.count - NEWEST_LISTED} older: click a point of a chart`;
  if (track.count > NEWEST_LISTED) group.append(make("option", { disabled: true }, older));
  return group;
}

function sessionOption(track, position) {
  const purpose = report.trends.purposes[track.purpose[position]] ?? "";
  const text = `${timeText(track.at[position])} ${track.id(position)} ${purpose}`;
  return make("option", { value: nameOf(track, position) }, text);
}

/** Buttons that make a session one side of the comparison. */
function pickers(track, position) {
  const pick = (side) => () => {
    remember({ [side]: nameOf(track, position) });
    fillSelect(side);
    showSessions();
    say(`session ${track.id(position)} is ${side.toUpperCase()} of the two sessions`);
  };
  return make("span", {}, ...SIDES.flatMap((side) => [button(`as ${side.toUpperCase()}`, pick(side)), " "]));
}

function listenToSessions() {
  for (const side of SIDES) {
    const select = selectOf(side);
    const fill = () => select.dataset.filled || fillSelect(side);
    select.append(make("option", { value: "" }, CHOOSE));
    for (const kind of ["focus", "pointerdown"]) select.addEventListener(kind, fill);
    select.addEventListener("change", () => {
      remember({ [side]: select.value });
      showSessions();
    });
  }
}

/** What to beware of, what the two are, and the metrics that both have. */
function showSessions() {
  const [a, b] = SIDES.map((side) => sessionNamed(report.state[side]));
  const table = byId("session-table");
  byId("session-notes")?.remove();
  const notes = make("div", { id: "session-notes" }, ...(a && b ? sessionNotes(a, b) : ["Choose two sessions."]));
  table.parentElement.before(notes);
  table.hidden = !a || !b;
  if (table.hidden) return table.replaceChildren();
  const head = ["metric", "A", "B", "B against A", "outcome of A", "outcome of B"];
  table.replaceChildren(...grid("The values that both sessions have", head, commonMetrics(a, b)).firstChild.children);
}

/** Metric -> what the session says of it. */
function valuesOf([track, position]) {
  const numbers = [...report.trends.series.keys()].filter((i) => report.trends.series[i].case === track.number);
  const known = numbers.map(seriesOf).filter((one) => one.position[bisect(one.position, position)] === position);
  return new Map(known.map((one) => {
    const value = one.value[bisect(one.position, position)];
    return [one.metric, { ...one, value, said: withUnit(value, one.unit), outcome: outcomeAt(one, position) }];
  }));
}

function commonMetrics(a, b) {
  const other = valuesOf(b);
  const both = [...valuesOf(a).values()].filter(({ metric }) => other.has(metric));
  return both.map((before) => {
    const now = other.get(before.metric);
    return [before.metric, before.said, now.said, changeText(before, now.value), before.outcome, now.outcome];
  });
}

/** No sign: in which direction is better depends on the metric. */
function changeText({ value, better }, now) {
  if (now === value || !value) return now === value ? "equal" : "-";
  const size = `${number((100 * Math.abs(now - value)) / Math.abs(value))} %`;
  return `${size} ${now > value === (better === "more") ? "better" : "worse"}`;
}

/** How many metrics one side alone has, and the first of them. */
function onlyIn(side, one, other) {
  const names = [...one.keys()].filter((name) => !other.has(name));
  if (!names.length) return [];
  const some = cut(names.join(", "), 120);
  return [make("p", {}, `${plural(names.length, "metric")} only in ${side}: ${some}.`)];
}

const FACTS = {
  session: (track, position) => `${track.id(position)}, ${timeText(track.at[position])}`,
  state: (track, position) => (track.valid[position] ? "valid" : "INVALID"),
  case: (track) => track.key,
  commit: (track, position) => commitOf(track, position).join(" ").trim() || "unknown",
  model: buildOf,
};

function sessionNotes(a, b) {
  const facts = Object.entries(FACTS).map(([name, of]) => [name, of(...a), of(...b)]);
  const conditions = differing(...[a, b].map(([track, position]) => track.identity[position]));
  const unlike = [...facts.slice(2), ...conditions].filter(([, one, other]) => one !== other).map(([name]) => name);
  const [first, second] = [a, b].map(valuesOf);
  const warn = (word, rest) => make("p", {}, make("strong", {}, word), rest);
  const why = a[0] !== b[0] ? "another case" : conditions.length ? "other conditions" : "";
  const alike = "Nothing else that is known of them differs: the values show how sessions spread.";
  return [
    ...(why ? [warn("NOT_COMPARABLE", `: ${why}.`)] : []),
    ...([a, b].every(([track, i]) => track.valid[i]) ? [] : [warn("INVALID", ": not both sessions are valid.")]),
    make("p", {}, unlike.length ? `They differ in ${unlike.join(", ")}.` : alike),
    make("p", {}, "One session on each side is no verdict. This judges them: ",
      copyable(`harness compare ${a[0].id(a[1])} ${b[0].id(b[1])}`), ITS_HISTORY),
    grid("The two sessions", ["", "A", "B"], [...facts, ...conditions]),
    ...onlyIn("A", first, second), ...onlyIn("B", second, first),
  ];
}
