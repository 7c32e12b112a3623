"""What each refusal means to a person, and what to do: one table for all who tell of it.

The keys are the rules that a ``Denied`` has, and beside them what the sidecar answers without
one; an app reads each as ``sidecar_KEY`` in its error. ``sidecar explain --rules`` shows all.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sidecar.values import dataclass
from sidecar.x402.receipt import Refusal, classify_refusal

CODE_PREFIX = "sidecar_"


@dataclass(frozen=True, slots=True)
class Advice:
    """What a rule's "no" means, and what to do about it."""

    means: str
    fix: str


_OF_ONE_PAYMENT = {
    "max_payment": Advice(
        "The price is over what this route pays for one request.",
        "If the price is right, raise the route's max_payment; `sidecar quote` shows it first.",
    ),
    "network": Advice(
        "The seller is paid on a network that this route does not pay on.",
        "Add the network to the route's networks, with a wallet of its kind that has USDC there.",
    ),
    "asset": Advice(
        "The seller wants a token that is not USDC as we know it.",
        "Nothing to set: only the USDC of our own table is paid. Ask the seller for USDC.",
    ),
    "scheme": Advice(
        "The seller wants to be paid in a way that this route does not pay by.",
        "Nothing to set: `exact` is paid everywhere, and LibertAI's `upto` on its own routes.",
    ),
    "pay_to": Advice(
        "The payee is none of those that the route's pay_to names.",
        "Ask the seller whether it has a new address before you add it to pay_to.",
    ),
    "amount": Advice(
        "The price is more than a ledger can hold.", "Do not pay it: the seller is mistaken."
    ),
    "validity": Advice(
        "The seller leaves too little time for a payment to settle safely.",
        "Nothing to set: under 60 s no payment is signed. Tell the seller.",
    ),
    "unpayable": Advice(
        "The 402 has no offer that can be read and paid; the detail says why of each.",
        "`sidecar quote` shows the offers. Where a vendor has its own rules, use its provider.",
    ),
    "payee_changed": Advice(
        "This route has paid somebody else until now.",
        "Ask the seller; if the new address is right: `sidecar pins forget ROUTE`.",
    ),
    "price_jump": Advice(
        "The price is far over what was usual at this place for a month.",
        "If it is right, raise the route's price_jump_max, or remove it.",
    ),
    "body_too_large": Advice(
        "The request's body was too large to be kept, so it could not be sent again, paid.",
        "Raise limits.replay_bytes_max, or send smaller bodies.",
    ),
    "signer_refused": Advice(
        "The signer that keeps the key has a rule of its own against this payment.",
        "Look at the signer's rules file; its own log names the rule.",
    ),
}

_OF_BUDGETS = {
    "budget": Advice(
        "A budget has no room for it: what is spent and reserved is near the limit.",
        "Wait until its window starts again, or raise its limit; `sidecar status` shows each.",
    ),
    "breaker": Advice(
        "The route was paid several times for nothing, so no more is paid there for a while.",
        "Look at `sidecar payments` for what was paid and not delivered, and tell the seller.",
    ),
    "frozen": Advice("The sidecar is frozen and signs no payment.", "`sidecar unfreeze` ends it."),
    "approval": Advice(
        "The payment waits for a person, and nobody has approved it.",
        "`sidecar approvals` lists what waits, and `sidecar approve PAYMENT` lets it be made.",
    ),
    "approval_refused": Advice(
        "A person, or the webhook, said no.", "Send the request again to be asked again."
    ),
    "approval_timeout": Advice(
        "Nobody decided about the payment in time.",
        "Send the request again and approve it sooner, or raise the route's approval.wait_s.",
    ),
    "shadow": Advice(
        "Shadow mode: every rule allowed it, and nothing is signed.",
        "Run with mode: live to pay.",
    ),
    "clock_skew": Advice(
        "Our clock and the chain's are too far apart: what is signed could not settle.",
        "Set the machine's clock (NTP), or look at the RPC endpoint: `sidecar doctor` shows both.",
    ),
}

_OF_CREDIT = {
    "top_up_terms": Advice(
        "The vendor would not sell credit on terms that can be paid; the detail says why.",
        "Look at the route's top_up.amount, max_payment and networks.",
    ),
    "top_up_rate": Advice(
        "The account had as many top-ups within an hour as it may have.",
        "See what uses the credit up; else raise top_up.max_per_hour.",
    ),
    "top_up_unproven": Advice(
        "A top-up was paid and has not been seen to help: no other is made before.",
        "Look at the account at the vendor. `sidecar resolve PAYMENT --credited` or `--lost` "
        "says what became of it.",
    ),
    "top_up_wait": Advice(
        "Credit is being bought, and it takes longer than the request waits.",
        "Send the request again: it finds the credit, or goes on waiting. Nothing is bought twice.",
    ),
}

_OF_REQUESTS = {
    "in_progress": Advice(
        "The same purchase (its Idempotency-Key) is being served right now.",
        "Wait for that answer; another key is another purchase.",
    ),
    "draining": Advice(
        "The sidecar is stopping and signs nothing new.", "Send the request again in a moment."
    ),
    "abandoned": Advice(
        "The app hung up before anything was signed.", "Nothing was paid; raise the app's time-out."
    ),
    "payment_in_doubt": Advice(
        "A payment was signed and nobody can say yet whether it moved.",
        "Send the same call again: it presents the same payment, never a second one. Without an "
        "RPC endpoint under chains nobody can prove it: add one, or use `sidecar resolve`.",
    ),
    "paid_undelivered": Advice(
        "A payment was made and the seller did not serve.",
        "Show the seller the transaction (`sidecar explain PAYMENT`); the next call pays again.",
    ),
    "upstream": Advice(
        "The upstream could not be reached, or what it said was no HTTP.",
        "`sidecar doctor` looks at every upstream; nothing new was paid.",
    ),
    "ledger": Advice(
        "The ledger cannot be written, and without it nothing is paid.",
        "Look at the disk and at who owns the state folder: `sidecar doctor` shows both.",
    ),
    "signer": Advice(
        "The signer that keeps the key does not answer.",
        "Start it (`sidecar signer`); unpaid traffic flows meanwhile.",
    ),
    "busy": Advice("A limit of ours is met.", "Send it again later, or raise it under limits."),
    "body": Advice(
        "The request's body stopped coming.", "Look at the app, or raise limits.body_idle_s."
    ),
    "bug": Advice("The sidecar failed.", "Its log says how: please report it."),
}

_AT_THE_DOOR = {
    "token": Advice(
        "The app did not show this sidecar's token as its API key.",
        "Give it what is in caller.token of the state folder, or its own token under callers.",
    ),
    "user": Advice(
        "The system user who connected is no caller.", "Name the user's uid under callers."
    ),
    "host": Advice(
        "The request's Host is not a name of this sidecar.",
        "Call it by the address that it listens on, or add the name to hosts.",
    ),
    "origin": Advice(
        "The request came from a web page of another site.",
        "Nothing to set: web pages must not spend. Call it from a program.",
    ),
    "malformed": Advice(
        "What came is no HTTP that can be relayed.", "Look at the app; a library of HTTP helps."
    ),
    "method": Advice("The HTTP method is not relayed.", "Use an ordinary one."),
    "target": Advice("The path is no plain path.", "Send it without //, dots or encoded slashes."),
    "route": Advice(
        "No route serves this path.",
        "Begin it with a route's name, or mark a route with default: true.",
    ),
}

RULES: Mapping[str, Advice] = MappingProxyType(
    {**_OF_BUDGETS, **_OF_ONE_PAYMENT, **_OF_CREDIT, **_OF_REQUESTS, **_AT_THE_DOOR}
)

# What else a payment that is in doubt means where its seller has said why it does not serve.
_BY_REFUSAL: Mapping[Refusal, Advice] = MappingProxyType(
    {
        "funds": Advice(
            "A payment was signed, and the seller says that the wallet holds too little for it.",
            "`sidecar balance` shows what it holds: send USDC to it, then the same call again. It "
            "presents the same payment, never a second one, until that has expired.",
        ),
        "ours": Advice(
            "A payment was signed, and the seller finds fault with how.",
            "`sidecar doctor` compares this machine's clock with others: if it is right, please "
            "report the seller's words. Until it expires, the same call presents the same payment.",
        ),
    }
)

# What decided where no rule did.
_BY_DECISION = {
    "in_doubt": "payment_in_doubt",
    "undelivered": "paid_undelivered",
    "failed": "upstream",
}


def rule_of(rule: str, decision: str) -> str:
    """The key for what was answered by this rule, or without one; "" where nobody knows it."""
    named = rule.removeprefix(CODE_PREFIX) or _BY_DECISION.get(decision, "")
    return named if named in RULES else ""


def advise(rule: str, detail: str) -> Advice | None:
    """What this refusal means, with what its detail says of a seller's reason; None: unknown."""
    if rule == "payment_in_doubt":
        return _BY_REFUSAL.get(classify_refusal(detail), RULES[rule])
    return RULES.get(rule)
