// Spend over time: bars, stacked by route or by caller.

import { draw, find, list, make, part, write } from "./elements.js";
import { atomic, usdc } from "./words.js";

const HEIGHT = 220;
const LEFT = 52;
const BOTTOM = 24;
const TOP = 8;
// As many have a colour of their own; who spends less is drawn as one.
const COLOURS = 6;
const SPAN_WORDS = { "24h": "Last 24 hours", "30d": "Last 30 days" };

const place = find("chart");
let shown = { series: [], starts: [], step: 3600, span: "24h" };
let selected = -1;
let picture = null;

/** Draw the spend of a state, as the two choices beside it say. */
export function chart(spending) {
  const span = document.querySelector("input[name=span]:checked").value;
  const by = document.querySelector("input[name=by]:checked").value;
  const rows = spending.filter((row) => row.span === span && row.by === by);
  const next = { span, by, step: span === "24h" ? 3600 : 86400, ...arrange(rows, span) };
  if (next.span !== shown.span || next.by !== shown.by) {
    selected = -1;
  }
  shown = next;
  redraw();
}

/** What moved in all of a span, in atomic units, and in how many payments. */
export function total(spending, span) {
  const rows = spending.filter((row) => row.span === span && row.by === "route");
  return {
    units: rows.reduce((sum, row) => sum + atomic(row.total), 0),
    payments: rows.reduce((sum, row) => sum + row.payments, 0),
  };
}

function arrange(rows, span) {
  const count = span === "24h" ? 24 : 30;
  const series = rows.map((row) => ({
    name: row.name,
    amounts: row.amounts.map(atomic),
    payments: row.payments,
  }));
  const named = series.filter((each) => each.name !== "").slice(0, COLOURS);
  const rest = series.filter((each) => !named.includes(each));
  if (rest.length) {
    named.push({
      name: "",
      amounts: named[0].amounts.map((_, at) => rest.reduce((sum, one) => sum + one.amounts[at], 0)),
      payments: rest.reduce((sum, one) => sum + one.payments, 0),
    });
  }
  const first = rows.length ? Date.parse(rows[0].starts_at) : 0;
  const step = span === "24h" ? 3600 : 86400;
  const starts = Array.from({ length: count }, (_, at) => first + at * step * 1000);
  return { series: named, starts };
}

function redraw() {
  const width = Math.max(place.clientWidth, 200);
  const { series, starts } = shown;
  const sums = starts.map((_, at) => series.reduce((sum, one) => sum + one.amounts[at], 0));
  const top = ceiling(Math.max(...sums, 0));
  const high = (units) => (units / top) * (HEIGHT - TOP - BOTTOM);
  const wide = (width - LEFT) / starts.length;
  const svg = draw("svg", {
    width,
    height: HEIGHT,
    viewBox: `0 0 ${width} ${HEIGHT}`,
    role: "img",
    tabindex: "0",
    "aria-label": `${SPAN_WORDS[shown.span]}: ${usdc(sumOf(sums))} USDC. The arrow keys go through the bars.`,
  });
  for (const share of [0, 0.5, 1]) {
    const y = Math.round(HEIGHT - BOTTOM - high(top * share)) + 0.5;
    svg.append(
      draw("line", { x1: LEFT, x2: width, y1: y, y2: y, class: share ? "grid" : "base" }),
      draw("text", { x: LEFT - 8, y: y + 4, class: "tick end" }, usdc(top * share)),
    );
  }
  starts.forEach((start, at) => {
    const x = LEFT + at * wide;
    const gap = Math.min(4, wide / 4);
    svg.append(draw("rect", {
      x, y: TOP, width: wide, height: HEIGHT - TOP - BOTTOM,
      class: at === selected ? "column selected" : "column",
    }));
    let y = HEIGHT - BOTTOM;
    series.forEach((one, index) => {
      const height = high(one.amounts[at]);
      y -= height;
      if (height > 0) {
        svg.append(draw("rect", {
          x: x + gap / 2, y, width: wide - gap, height, class: `series ${colour(one, index)}`,
        }));
      }
    });
    if (isLabelled(start, at, wide)) {
      svg.append(draw("text", { x: x + wide / 2, y: HEIGHT - 6, class: "tick middle" }, tick(start)));
    }
  });
  const focused = picture !== null && document.activeElement === picture;
  picture = svg;
  svg.addEventListener("pointermove", (event) => select(at(event, wide)));
  svg.addEventListener("pointerleave", () => select(-1));
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) {
      event.preventDefault();
      const from = selected < 0 ? (by > 0 ? -1 : starts.length) : selected;
      select(Math.min(Math.max(from + by, 0), starts.length - 1));
    } else if (event.key === "Escape") {
      select(-1);
    }
  });
  place.replaceChildren(svg);
  if (focused) {
    svg.focus();
  }
  tell(sums);
}

function at(event, wide) {
  const x = event.clientX - picture.getBoundingClientRect().left - LEFT;
  const index = Math.floor(x / wide);
  return index >= 0 && index < shown.starts.length ? index : -1;
}

function select(index) {
  if (index === selected) {
    return;
  }
  const columns = picture.querySelectorAll(".column");
  columns[selected]?.classList.remove("selected");
  selected = index;
  columns[selected]?.classList.add("selected");
  const { series, starts } = shown;
  tell(starts.map((_, each) => series.reduce((sum, one) => sum + one.amounts[each], 0)));
}

/** Say what is selected, or else the whole, above the bars and in their legend. */
function tell(sums) {
  const { series, span } = shown;
  const some = selected >= 0;
  const amount = some ? sums[selected] : sumOf(sums);
  write(find("readout"), `${some ? when(shown.starts[selected]) : SPAN_WORDS[span]}: ${usdc(amount)} USDC`);
  list(find("legend"), series, (one) => `name ${one.name}`, swatch, (node, one) => {
    const index = series.indexOf(one);
    part(node, "swatch").setAttribute("class", `swatch ${colour(one, index)}`);
    write(part(node, "name"), one.name || "others");
    write(part(node, "amount"), usdc(some ? one.amounts[selected] : sumOf(one.amounts)));
  });
}

function swatch() {
  return make("li", {},
    make("span", { "data-part": "swatch" }),
    make("span", { "data-part": "name", class: "name" }),
    make("span", { "data-part": "amount", class: "number" }),
  );
}

const colour = (one, index) => (one.name === "" ? "rest" : `series-${index}`);
const sumOf = (amounts) => amounts.reduce((sum, one) => sum + one, 0);

/** The next round number of units, so that the axis seldom changes. */
function ceiling(units) {
  if (units <= 0) {
    return 10_000;
  }
  const power = 10 ** Math.floor(Math.log10(units));
  return [1, 2, 4, 5, 10].map((each) => each * power).find((each) => each >= units);
}

/** A label needs room: the hours that many like to read, or every few days. */
function isLabelled(start, index, wide) {
  const every = Math.ceil(46 / wide);
  if (shown.span === "30d") {
    return (shown.starts.length - 1 - index) % every === 0;
  }
  const hours = [1, 2, 3, 4, 6, 12].find((each) => each >= every) ?? 24;
  return new Date(start).getHours() % hours === 0;
}

function tick(start) {
  const date = new Date(start);
  // Days are the sidecar's, which are UTC's, as those of budgets are.
  return shown.span === "30d"
    ? date.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" })
    : time(date);
}

function when(start) {
  return shown.span === "30d" ? `${tick(start)}, UTC` : `${tick(start)}–${time(new Date(start + 3_600_000))}`;
}

const time = (date) =>
  date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

new ResizeObserver(() => {
  if (picture !== null && picture.clientWidth !== place.clientWidth) {
    redraw();
  }
}).observe(place);
