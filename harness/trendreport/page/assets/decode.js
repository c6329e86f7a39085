// The payload (docs/trend-report.md): columns of cases and series, decoded when they are first asked for.
const report = { trends: null, state: {} };
const byId = (id) => document.getElementById(id);

/** The JSON of a script element; null where it is missing or damaged. */
function readJson(id) {
  try {
    return JSON.parse(byId(id).textContent);
  } catch {
    return null;
  }
}

/** Remembers what `make` answered to a key. */
function once(make) {
  const made = new Map();
  return (key) => {
    if (!made.has(key)) made.set(key, make(key));
    return made.get(key);
  };
}

/** Runs [value, count, value, count, ...] as one value per session. */
function expand(runs) {
  const column = [];
  for (let i = 0; i < runs.length; i += 2) {
    for (let left = runs[i + 1]; left > 0; left--) column.push(runs[i]);
  }
  return column;
}

/** The first number and then differences, as the numbers themselves times `scale`. */
function undelta(numbers, scale = 1) {
  let sum = 0;
  return Float64Array.from(numbers, (one) => (sum += one) * scale);
}

function readCase(number) {
  const packed = report.trends.cases[number];
  const columns = ["valid", "identity", "commit", "build", "command", "purpose"];
  return {
    ...packed,
    ...Object.fromEntries(columns.map((name) => [name, expand(packed[name])])),
    number,
    key: packed.parts.join("/"),
    at: undelta(packed.count ? [packed.start].concat(packed.steps) : []),
    id: (position) => packed.ids.slice(8 * position, 8 * position + 8),
  };
}

function readSeries(number) {
  const packed = report.trends.series[number];
  const value = undelta(packed.value, packed.scale);
  const position = packed.index ? undelta(packed.index) : Float64Array.from(value, (_, i) => i);
  return { ...packed, number, track: caseOf(packed.case), position, value, outcome: expand(packed.outcome) };
}

const caseOf = once(readCase);
const seriesOf = once(readSeries);
const outcomeName = (code) => report.trends.outcomes[code] ?? "not judged";
/** The hash and the subject of a session's commit. */
const commitOf = (track, position) => report.trends.commits[track.commit[position]] ?? ["", ""];

/** The model's hash, shortened. */
const buildOf = (track, position) => report.trends.builds[track.build[position]].slice(0, 12) || "unknown";

/** What is not equal in two identities: [name, before, now]. */
function differing(...two) {
  const [one, other] = two.map((number) => report.trends.identities[number] ?? {});
  const names = Object.keys({ ...one, ...other }).filter((name) => one[name] !== other[name]);
  return names.sort().map((name) => [name, String(one[name] ?? "-"), String(other[name] ?? "-")]);
}

/** All commits, the oldest first, and the place of each among them. */
const commitPlaces = once(() => {
  const first = new Map();
  report.trends.cases.forEach((_, number) => {
    const { commit, at } = caseOf(number);
    commit.forEach((one, i) => first.set(one, Math.min(at[i], first.get(one) ?? Infinity)));
  });
  const order = [...first.keys()].sort((a, b) => first.get(a) - first.get(b) || a - b);
  return { order, place: new Map(order.map((one, i) => [one, i])) };
});

/** Where a session stands on the x axis: seconds, the place of its commit, or how far before the newest (0 or less). */
function xOf(track, position, mode) {
  if (mode === "date") return track.at[position];
  if (mode === "commit") return commitPlaces().place.get(track.commit[position]);
  return position - track.count + 1;
}

/** The points of a series as columns, sorted by x; equal x stay in the order of the sessions. */
function arrange({ track, position, value, outcome }, mode) {
  const x = Array.from(position, (one) => xOf(track, one, mode));
  const order = x.map((_, i) => i).sort((a, b) => x[a] - x[b] || a - b);
  const column = (of) => order.map((i) => of(i, position[i]));
  return {
    count: order.length,
    x: column((i) => x[i]),
    value: column((i) => value[i]),
    position: column((i, session) => session),
    valid: column((i, session) => track.valid[session]),
    code: column((i, session) => (track.valid[session] ? outcome[i] : INVALID)),
    identity: column((i, session) => track.identity[session]),
  };
}

/** The detail of a session where the page carries it. Parsed only here. */
function detailOf(track, position) {
  const alike = Object.keys(report.trends.details).filter((id) => id.startsWith(track.id(position)));
  return alike.map((id) => readJson(report.trends.details[id])).find((one) => one?.case === track.key);
}

/** The first index whose number is not below `wanted`; numbers ascend. */
function bisect(numbers, wanted) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The index of the number that is nearest to `wanted`. */
function nearestIn(numbers, wanted) {
  const after = Math.min(bisect(numbers, wanted), numbers.length - 1);
  return after && wanted - numbers[after - 1] < numbers[after] - wanted ? after - 1 : after;
}
