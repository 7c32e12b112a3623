// The status page: draws each state that the sidecar tells of.

import { chart, total } from "./chart.js";
import { find, write } from "./elements.js";
import { follow } from "./feed.js";
import { attention, onMore, payments, refusals } from "./lists.js";
import { balances, budgets, tightest } from "./money.js";
import { act } from "./switches.js";
import { age, atomic, clock, duration, nowMs, setClock, until, usdc } from "./words.js";

// Ages grow while nothing happens.
const REDRAW_MS = 5_000;
const HOUR_MS = 3_600_000;

let state = null;

function draw() {
  document.body.dataset.ready = "yes";
  banner();
  if (state.error) {
    // What was drawn before is out of date, and says less than nothing now.
    document.body.dataset.stale = "yes";
    refusals(state.refusals);
    return;
  }
  delete document.body.dataset.stale;
  tiles();
  attention(state, decide);
  chart(state.spending);
  budgets(state.budgets);
  balances(state.balances);
  payments(state.payments);
  refusals(state.refusals);
}

function banner() {
  const [kind, words] = condition();
  const chip = find("state");
  chip.dataset.state = kind;
  write(chip, words);
  document.title = `${words} · Sidecar`;
  write(find("facts"), `${state.version} · up ${duration(state.uptime_s + (nowMs() - Date.parse(state.now)) / 1000)}`);
  const freeze = find("freeze");
  freeze.disabled = Boolean(state.error);
  write(freeze, state.frozen ? "Unfreeze payments" : "Freeze payments");
  notice(failure || sentence(kind), failure ? "error" : kind);
}

/** What the condition means for those who pay. */
function sentence(kind) {
  return {
    error: `The ledger cannot be read, so nothing is paid: ${state.error}`,
    draining: "The sidecar is stopping: requests under way end, and nothing new is signed.",
    frozen: `Frozen since ${clock(state.frozen ?? state.now)}: no payment is signed. What needs no payment flows on.`,
    shadow: "Shadow mode: every rule is applied and nothing is signed. The amounts are what would have been paid.",
    serving: "Payments are made, within the budgets.",
  }[kind];
}

function condition() {
  if (state.error) {
    return ["error", "Ledger unreadable"];
  }
  if (state.state !== "serving") {
    return ["draining", "Draining"];
  }
  if (state.frozen) {
    return ["frozen", "Frozen"];
  }
  return state.mode === "shadow" ? ["shadow", "Shadow: nothing is paid"] : ["serving", "Serving"];
}

function tiles() {
  const day = total(state.spending, "24h");
  figure("tile-spent", `${usdc(day.units)} USDC`, plural(day.payments, "payment"));
  const budget = tightest(state.budgets);
  figure(
    "tile-budget",
    budget ? `${usdc(atomic(budget.remaining))} left` : "–",
    budget ? `${budget.name}${budget.resets_at ? `, resets in ${until(budget.resets_at)}` : ""}` : "no budgets",
  );
  const doubts = state.in_doubt;
  const units = doubts.reduce((sum, row) => sum + atomic(row.amount), 0);
  figure(
    "tile-doubt",
    `${usdc(units)} USDC`,
    doubts.length ? `${plural(doubts.length, "payment")}, oldest ${age(doubts[0].authorized_at)}` : "every payment is accounted for",
  );
  find("tile-doubt").dataset.level = doubts.length ? "nearly" : "fine";
  const late = state.refusals.filter((row) => nowMs() - Date.parse(row.at) < HOUR_MS);
  const all = late.length === state.refusals.length && late.length >= 50;
  figure("tile-refused", `${late.length}${all ? "+" : ""}`, late.length ? `last: ${(late[0].rule || late[0].decision).replaceAll("_", " ")}` : "nothing");
}

function figure(id, words, under) {
  write(find(id), words);
  write(find(`${id}-under`), under);
}

const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

let failure = "";

function notice(words, kind) {
  const line = find("notice");
  write(line, words);
  line.dataset.state = kind;
}

function done(words) {
  failure = words;
  if (state !== null) {
    banner();
  }
}

function decide(payment, approve) {
  act({
    path: `/${approve ? "approve" : "refuse"}/${encodeURIComponent(payment.id)}`,
    title: approve ? "Approve this payment?" : "Refuse this payment?",
    words: `${payment.amount} to ${payment.pay_to}, for ${payment.caller} on ${payment.route}.`,
    verb: approve ? "Approve" : "Refuse",
    confirm: false,
  }, done);
}

find("freeze").addEventListener("click", () => {
  act(state.frozen ? {
    path: "/unfreeze",
    title: "Unfreeze payments?",
    words: "Payments are signed again, within the budgets.",
    verb: "Unfreeze",
    confirm: false,
  } : {
    path: "/freeze",
    title: "Freeze all payments?",
    words: "No payment is signed until somebody unfreezes. What needs no payment flows on.",
    verb: "Freeze",
    confirm: true,
  }, done);
});

for (const choice of document.querySelectorAll(".choice input")) {
  choice.addEventListener("change", () => state?.spending && chart(state.spending));
}

follow(
  (told) => {
    setClock(told.now);
    state = told;
    draw();
  },
  (live) => {
    find("heard").dataset.live = live ? "yes" : "no";
    write(find("heard-words"), live ? "Live" : "No answer");
  },
);

const redraw = () => state && draw();

onMore(redraw);
setInterval(redraw, REDRAW_MS);
