// What happened, and what waits: payments, refusals, and what needs a person.

import { find, list, make, part, show, write } from "./elements.js";
import { age, bare, clock, ends, nowMs, until } from "./words.js";

// A payment is in doubt for a moment each time; one that stays so is worth a word.
const DOUBT_MS = 5_000;
const FEW = 10;

export function payments(rows) {
  list(find("payments"), some("payments", rows), (row) => row.id, paymentRow, (node, row) => {
    const [state, words] = stateOf(row);
    node.dataset.state = state;
    write(part(node, "time"), clock(row.reserved_at));
    write(part(node, "state"), words);
    part(node, "state").dataset.state = state;
    part(node, "state").title = row.proof ? `proof: ${row.proof}` : "";
    write(part(node, "amount"), bare(row.amount));
    write(part(node, "route"), row.purpose === "top_up" ? `${row.route} (credit)` : row.route);
    write(part(node, "caller"), row.caller);
    shorten(part(node, "payee"), row.pay_to);
    shorten(part(node, "transaction"), row.transaction ?? "");
  });
}

export function refusals(rows) {
  list(find("refusals"), some("refusals", rows), (row) => row.request_id, refusalRow, (node, row) => {
    write(part(node, "time"), clock(row.at));
    write(part(node, "rule"), (row.rule || row.decision).replaceAll("_", " "));
    part(node, "rule").dataset.decision = row.decision;
    write(part(node, "detail"), row.detail);
    write(part(node, "request"), `${row.method} ${row.path}`);
    write(part(node, "id"), row.request_id);
    write(part(node, "caller"), row.caller || "–");
    write(part(node, "route"), row.route || "no route");
    write(part(node, "status"), String(row.status));
  });
}

/** What a person should look at; decide(payment, approve) is what the buttons call. */
export function attention(state, decide) {
  const waiting = state.approvals.map((row) => ({ kind: "approval", key: `approval ${row.id}`, row }));
  const doubts = state.in_doubt
    .filter((row) => nowMs() - Date.parse(row.authorized_at) > DOUBT_MS)
    .map((row) => ({ kind: "doubt", key: `doubt ${row.id}`, row }));
  const stopped = state.top_ups_stopped
    .map((row) => ({ kind: "stopped", key: `stopped ${row.route} ${row.account}`, row }));
  const mistakes = (state.config_mistakes ?? []).map((text) => ({ kind: "config", key: `config ${text}`, row: text }));
  const items = [...waiting, ...stopped, ...mistakes, ...doubts];
  write(find("attention-none"), items.length ? "" : "Nothing waits for approval, and no money is in doubt.");
  list(find("attention"), items, (item) => item.key, (item) => attentionRow(item, decide), fillAttention);
}

/** The first rows of a list, or all of them, as its button was pressed; none is said in words. */
function some(name, rows) {
  const more = find(`${name}-more`);
  const all = more.getAttribute("aria-expanded") === "true";
  show(find(`${name}-none`), rows.length === 0);
  show(more, rows.length > FEW);
  write(more, all ? "Show fewer" : `Show all ${rows.length}`);
  return all ? rows : rows.slice(0, FEW);
}

/** Let the buttons that show all of a list call back, once they were pressed. */
export function onMore(redraw) {
  for (const more of document.querySelectorAll(".more")) {
    more.addEventListener("click", () => {
      more.setAttribute("aria-expanded", String(more.getAttribute("aria-expanded") !== "true"));
      redraw();
    });
  }
}

function fillAttention(node, { kind, row }) {
  if (kind === "approval") {
    write(part(node, "what"), `${row.amount} to ${ends(row.pay_to)}`);
    write(part(node, "why"), `${row.caller} on ${row.route}; waits for approval, ${until(row.until)} left`);
  } else if (kind === "doubt") {
    write(part(node, "what"), `${row.amount} in doubt`);
    write(part(node, "why"), `${row.caller} on ${row.route}; signed ${age(row.authorized_at)} ago, ${
      Date.parse(row.expires_at) > nowMs() ? `expires in ${until(row.expires_at)}` : "expired: waits for proof"}`);
  } else if (kind === "config") {
    write(part(node, "what"), "The config was not taken");
    write(part(node, "why"), row);
  } else {
    write(part(node, "what"), `Top-ups of ${row.route} are stopped`);
    write(part(node, "why"), `credit was paid for, and the vendor still refuses ${ends(row.account)}`);
  }
}

function attentionRow({ kind, row }, decide) {
  const item = make("li", { class: "attention", "data-kind": kind },
    make("p", {},
      make("strong", { "data-part": "what", class: "number" }),
      make("span", { "data-part": "why", class: "quiet number" }),
    ),
  );
  if (kind === "approval") {
    const approve = make("button", { type: "button", class: "button primary" }, "Approve");
    const refuse = make("button", { type: "button", class: "button" }, "Refuse");
    approve.setAttribute("aria-label", `Approve ${row.amount} for ${row.caller}`);
    refuse.setAttribute("aria-label", `Refuse ${row.amount} for ${row.caller}`);
    approve.addEventListener("click", () => decide(row, true));
    refuse.addEventListener("click", () => decide(row, false));
    item.append(make("div", { class: "buttons" }, approve, refuse));
  }
  return item;
}

function stateOf(row) {
  if (row.state === "posted") {
    if (row.closed_at) {
      return ["undelivered", "paid, not served"];
    }
    return ["posted", row.delivered_at ? "paid" : "paid, serving"];
  }
  if (row.state === "authorized") {
    const old = nowMs() - Date.parse(row.authorized_at) > DOUBT_MS;
    return old ? ["doubt", "in doubt"] : ["reserved", "under way"];
  }
  return row.state === "reserved" ? ["reserved", "reserved"] : ["voided", "voided"];
}

function shorten(node, text) {
  write(node, text ? ends(text) : "–");
  node.title = text;
}

function cell(name, attributes = {}) {
  return make("td", { role: "cell", "data-part": name, ...attributes });
}

function paymentRow() {
  return make("tr", { role: "row" },
    cell("time", { class: "number when" }),
    make("td", { role: "cell", class: "state" }, make("span", { "data-part": "state", class: "chip" })),
    cell("amount", { class: "number amount" }),
    cell("route", { class: "name" }),
    cell("caller", { class: "name" }),
    cell("payee", { class: "code" }),
    cell("transaction", { class: "code" }),
  );
}

function refusalRow() {
  return make("tr", { role: "row" },
    cell("time", { class: "number when" }),
    make("td", { role: "cell", class: "why" },
      make("strong", { "data-part": "rule" }),
      make("span", { "data-part": "detail", class: "detail" }),
    ),
    make("td", { role: "cell", class: "request" },
      make("span", { "data-part": "request", class: "code" }),
      make("span", { "data-part": "id", class: "code quiet", title: "for sidecar explain" }),
    ),
    make("td", { role: "cell", class: "whose" },
      make("span", { "data-part": "caller", class: "name" }),
      make("span", { "data-part": "route", class: "quiet" }),
    ),
    cell("status", { class: "number" }),
  );
}
