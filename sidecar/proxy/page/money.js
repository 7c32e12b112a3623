// What is left: budgets, balances.

import { find, list, make, part, show, write } from "./elements.js";
import { age, atomic, duration, ends, round, until, usdc } from "./words.js";

// From here on a budget is nearly used, and a balance nearly empty.
const NEARLY = 0.9;
const SHORT_HOURS = 24;
const UNITS = { usd: "USD", diem: "DIEM" };

export function budgets(uses) {
  show(find("budgets-none"), uses.length === 0);
  list(find("budgets"), uses, (use) => use.name, budget, (node, use) => {
    const limit = atomic(use.limit);
    const spent = atomic(use.spent);
    const reserved = atomic(use.reserved);
    const share = limit ? (spent + reserved) / limit : 1;
    write(part(node, "name"), use.name);
    write(part(node, "left"), `${usdc(atomic(use.remaining))} of ${usdc(limit)} left`);
    write(part(node, "of"), `${usdc(spent)} spent${reserved ? ` + ${usdc(reserved)} reserved` : ""}`);
    write(part(node, "reset"), use.resets_at ? `resets in ${until(use.resets_at)}` : "never resets");
    node.title = `${use.spent} spent and ${use.reserved} reserved of ${use.limit}`;
    const bar = part(node, "bar");
    bar.dataset.level = share >= 1 ? "used" : share >= NEARLY ? "nearly" : "fine";
    bar.setAttribute("aria-label", use.name);
    bar.setAttribute("aria-valuemax", String(limit));
    bar.setAttribute("aria-valuenow", String(Math.min(spent + reserved, limit)));
    bar.setAttribute("aria-valuetext", `${use.spent} spent and ${use.reserved} reserved of ${use.limit}`);
    part(node, "spent").style.width = percent(spent, limit);
    part(node, "reserved").style.width = percent(reserved, limit);
  });
}

/** The budget with the smallest share left; null where there is none. */
export function tightest(uses) {
  const left = (use) => atomic(use.remaining) / Math.max(atomic(use.limit), 1);
  return [...uses].sort((one, other) => left(one) - left(other))[0] ?? null;
}

export function balances(rows) {
  show(find("balances-none"), rows.length === 0);
  const several = (row) => rows.filter((other) => other.name === row.name && other.unit === row.unit).length > 1;
  list(find("balances"), rows, (row) => `${row.kind} ${row.name} ${row.place} ${row.unit}`, balance,
    (node, row) => {
      const hours = row.hours_to_empty;
      write(part(node, "name"), row.name);
      const credit = several(row) ? `credit ${ends(row.place)}` : "credit";
      const place = row.kind === "wallet" ? row.place : credit;
      write(part(node, "place"), `${place} · read ${age(row.observed_at)} ago`);
      part(node, "place").title = row.place;
      write(part(node, "amount"), `${round(row.amount, 2)} ${UNITS[row.unit] ?? row.unit}`);
      write(part(node, "lasts"), hours === null ? "" : `lasts ${duration(hours * 3600)}`);
      part(node, "lasts").dataset.level = hours !== null && hours < SHORT_HOURS ? "nearly" : "fine";
    });
}

function budget() {
  return make("li", { class: "budget" },
    make("p", { class: "line" },
      make("span", { "data-part": "name", class: "name" }),
      make("span", { "data-part": "left", class: "number strong" }),
    ),
    make("div", { "data-part": "bar", class: "meter", role: "meter", "aria-valuemin": "0" },
      make("span", { "data-part": "spent", class: "spent" }),
      make("span", { "data-part": "reserved", class: "reserved" }),
    ),
    make("p", { class: "line quiet" },
      make("span", { "data-part": "of", class: "number" }),
      make("span", { "data-part": "reset", class: "number" }),
    ),
  );
}

function balance() {
  return make("li", { class: "balance" },
    make("p", { class: "line" },
      make("span", { "data-part": "name", class: "name" }),
      make("span", { "data-part": "amount", class: "number strong" }),
    ),
    make("p", { class: "line quiet" },
      make("span", { "data-part": "place", class: "number name" }),
      make("span", { "data-part": "lasts", class: "number lasts" }),
    ),
  );
}

const percent = (part, whole) => `${whole ? Math.min((part / whole) * 100, 100) : 0}%`;
