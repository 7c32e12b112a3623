// Amounts and times, as people read them.

const ATOMIC = 1_000_000;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// How far the sidecar's clock is ahead of the browser's.
let aheadMs = 0;

/** Take what time it is at the sidecar. */
export function setClock(now) {
  aheadMs = Date.parse(now) - Date.now();
}

/** The sidecar's time, in milliseconds. */
export const nowMs = () => Date.now() + aheadMs;

/** "1.25 USDC" or "1.25" in atomic units. */
export const atomic = (text) => Math.round(parseFloat(text) * ATOMIC);

/** The number of an amount that the sidecar wrote: it is exact, and stays as it is. */
export const bare = (text) => text.replace(/ USDC$/, "");

/** Atomic units as a number of USDC: cents, and finer where there is little. */
export function usdc(units) {
  const value = units / ATOMIC;
  const digits = value === 0 || value >= 1 ? 2 : value >= 0.01 ? 3 : 6;
  const text = value.toFixed(digits);
  return digits === 2 ? text : text.replace(/(\.\d\d\d*?)0+$/, "$1");
}

/** A number with at most so many digits behind its point. */
export const round = (text, digits) => {
  const value = parseFloat(text);
  return value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits });
};

/** Seconds as a person says them. */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 2 * MINUTE) {
    return `${s} s`;
  }
  if (s < 2 * HOUR) {
    return `${Math.floor(s / MINUTE)} min`;
  }
  if (s < 2 * DAY) {
    const minutes = Math.floor((s % HOUR) / MINUTE);
    return minutes ? `${Math.floor(s / HOUR)} h ${minutes} min` : `${Math.floor(s / HOUR)} h`;
  }
  return `${Math.floor(s / DAY)} days`;
}

/** How long ago a moment was. */
export const age = (moment) => duration((nowMs() - Date.parse(moment)) / 1000);

/** How long it is until a moment. */
export const until = (moment) => duration((Date.parse(moment) - nowMs()) / 1000);

/** The time of day; with its date when it was not today. */
export function clock(moment) {
  const at = new Date(moment);
  const time = at.toLocaleTimeString("en-GB");
  if (at.toDateString() === new Date(nowMs()).toDateString()) {
    return time;
  }
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time.slice(0, 5)}`;
}

/** The ends of an address or a transaction. */
export function ends(text) {
  return text.length > 16 ? `${text.slice(0, 6)}…${text.slice(-4)}` : text;
}
