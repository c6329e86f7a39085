// From numbers to pixels and words.
const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const STEPS_S = [1, 5, 15, 60, 300, 900, ...[1, 3, 6, 12, 24, 48, 168, 336].map((hours) => hours * HOUR_S)];
const MONTH_S = 30.4 * DAY_S;
const STEPS_MONTHS = [1, 2, 3, 6, 12, 24, 60, 120, 1200];
const LAST_TIME_S = 1e11;

/** Maps low..high to start..end. */
function linear(low, high, start, end) {
  const slope = high === low ? 0 : (end - start) / (high - low);
  return (value) => start + (value - low) * slope;
}

const extent = (numbers) => [Math.min(...numbers), Math.max(...numbers)];

/** Of 1, 2 and 5 times the powers of ten the least that is taken at most `count` times in `span`. */
function niceStep(span, count) {
  const power = 10 ** Math.floor(Math.log10(span / count));
  return [1, 2, 5, 10].find((one) => one * power * count >= span * (1 - 1e-9)) * power;
}

/** Round numbers from low to high with their text, about `count` of them. */
function ticks(low, high, count, least = 0) {
  if (!(high > low) || !Number.isFinite(high - low)) return [];
  const step = Math.max(niceStep(high - low, count), least);
  const first = Math.ceil(low / step - 1e-9);
  const found = Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  return found.map((at) => ({ at, text: tickText(at, step) }));
}

function tickText(value, step) {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  if (digits > 5 || Math.abs(value) >= 1e7) return Number(value.toPrecision(9)).toExponential();
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Round times from low to high (seconds since 1970, UTC) with their text, about `count` of them. */
function dateTicks(low, high, count) {
  if (!(high > low && Math.max(-low, high) < LAST_TIME_S)) return [];
  const step = STEPS_S.find((one) => (high - low) / one <= count);
  if (!step) return monthTicks(low, high, count);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => {
    const at = (first + i) * step;
    return { at, text: step < DAY_S ? timeText(at).slice(5, 16) : timeText(at).slice(0, 10) };
  });
}

function monthTicks(low, high, count) {
  const step = STEPS_MONTHS.find((one) => (high - low) / (one * MONTH_S) <= count) ?? 1200;
  const start = new Date(low * 1000);
  const found = [];
  for (let month = Math.ceil((start.getUTCFullYear() * 12 + start.getUTCMonth()) / step) * step; ; month += step) {
    const at = Date.UTC(Math.floor(month / 12), month % 12) / 1000;
    if (at > high) return found;
    if (at >= low) found.push({ at, text: timeText(at).slice(0, 7) });
  }
}

/** A time in UTC; "" where it is none. */
function timeText(seconds) {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? "" : `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Four digits that count, as in the tables (harness/trendreport/cells.py); "-" where there is no number. */
function number(value) {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (!size || (size >= 1e-6 && size < 1e9)) {
    return String(Number(value.toFixed(size ? Math.max(0, 3 - Math.floor(Math.log10(size))) : 0)));
  }
  const [digits, power] = value.toExponential(3).split("e");
  return `${Number(digits)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

const withUnit = (value, unit) => (unit ? `${number(value)} ${unit}` : number(value));
/** The beginning of a text that would be too long. */
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}\u2026` : text);
const percent = (value) => `${value > 0 ? "+" : ""}${number(value)} %`;
const plural = (count, word) => `${count.toLocaleString("en-US")} ${word}${count === 1 ? "" : "s"}`;

/** The y range of values between low and high: lines that are near join them, and zero where it is near. */
function heightOf(low, high, lines = []) {
  const reach = high - low || Math.abs(high) * 0.1 || 1;
  const near = lines.filter((one) => one > low - 2 * reach && one < high + 2 * reach);
  const [bottom, top] = extent([low, high, ...near]);
  const rim = 0.08 * (top - bottom || reach);
  const zero = bottom >= 0 && bottom <= 0.5 * (top - bottom);
  return [zero ? 0 : bottom - rim, top + rim];
}
