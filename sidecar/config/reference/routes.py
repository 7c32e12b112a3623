"""The rows of routes, and which provider takes which.

What a route takes goes by its provider, and where a provider lets both in, by whether it has an
``api_key``: these are the kinds of route.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sidecar.chains import NETWORK_NAMES
from sidecar.config.reference.key import (
    NAME,
    Key,
    Kind,
    Schema,
    amount,
    choice,
    entry,
    filled,
    flag,
    kept,
    named,
    seconds,
    section,
    text,
    url,
    whole,
)

_EITHER = "venice"


def _of(provider: str) -> Schema:
    return {"required": ["provider"], "properties": {"provider": {"const": provider}}}


# Each kind of route, and what tells it.
KINDS: Mapping[str, Schema] = MappingProxyType(
    {
        "pay_per_request": _of("pay_per_request"),
        "libertai": _of("libertai"),
        "venice": {**_of(_EITHER), "not": {"required": ["api_key"]}},
        "nodit": _of("nodit"),
        "x402layer": _of("x402layer"),
        "venice + api_key": {
            "required": ["provider", "api_key"],
            "properties": {"provider": {"const": _EITHER}},
        },
        "api_key": _of("api_key"),
    }
)
_ALL = frozenset(KINDS)
_KEYED = frozenset({"venice + api_key", "api_key"})
_PAID = _ALL - _KEYED
_PREPAID = frozenset({"venice", "nodit", "x402layer"})
_AMOUNTS = frozenset({"venice", "nodit"})
_PRICED = frozenset({"libertai", "api_key"})

_NETWORK = Kind("CAIP-2 network", {"type": "string", "enum": sorted(NETWORK_NAMES)})
_PAYEE = r"^(0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$"
_RATIO: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 2, "maximum": 1_000},
        {"type": "string", "pattern": r"^[1-9][0-9]{0,3}(\.[0-9]{1,3})?$"},
    ]
}
_NAMES: Schema = {"pattern": NAME, "not": {"const": "v1"}}

ROUTES = (
    Key(
        "routes",
        Kind("routes by name", {"type": "object", "minProperties": 1, "propertyNames": _NAMES}),
        "Where requests may go: served at `/NAME/...`, the default one at `/` as well.",
        required=True,
    ),
    Key("routes.*", entry(), "A route."),
    Key(
        "routes.*.provider",
        choice("pay_per_request", "libertai", "venice", "nodit", "x402layer", "api_key"),
        "Whose rules the upstream has. `pay_per_request` is any plain x402 seller.",
        required=True,
        example="pay_per_request",
        routes=_ALL,
    ),
    Key(
        "routes.*.upstream",
        url(query=False),
        "Where its requests go; the app's path is appended.",
        required=True,
        example="https://api.example.com",
        routes=_ALL,
    ),
    Key(
        "routes.*.default",
        flag(),
        "Serve it without its prefix, too; one route at most.",
        default=False,
        routes=_ALL,
    ),
    Key(
        "routes.*.insecure",
        flag(),
        "Allow `http://` to another machine.",
        default=False,
        routes=_ALL,
    ),
    Key(
        "routes.*.connect_wait_s",
        seconds(0.1, 60),
        "For a connection to the upstream.",
        default=10,
        routes=_ALL,
    ),
    Key(
        "routes.*.response_wait_s",
        seconds(1, 3_600),
        "Until the response begins; a stream may last longer.",
        default=600,
        routes=_ALL,
    ),
    Key(
        "routes.*.wallet",
        text("name of a wallet"),
        "Who pays.",
        example="main",
        routes=_PAID,
        required_on=_PAID,
    ),
    Key(
        "routes.*.networks",
        filled("list of CAIP-2 networks"),
        "What may be paid on, of the wallet's kind; prepaid vendors know a wallet on one.",
        example=["eip155:8453"],
        routes=_PAID,
        required_on=_PAID,
    ),
    Key("routes.*.networks[]", _NETWORK, "A network.", example="eip155:8453"),
    Key(
        "routes.*.max_payment",
        amount(zero=False),
        "The most that one payment may be.",
        example="0.05 USDC",
        routes=_PAID,
        required_on=_PAID,
    ),
    Key(
        "routes.*.budgets",
        filled("list of budgets' names", uniqueItems=True),
        "What its payments draw from; each has to have room.",
        example=["day"],
        routes=_PAID,
        required_on=_PAID,
    ),
    Key("routes.*.budgets[]", text("name of a budget"), "A budget.", example="day"),
    Key(
        "routes.*.pay_to",
        filled("list of addresses"),
        "Who may be paid, and nobody else.",
        usually="the first payee is pinned",
        example=["0x0000000000000000000000000000000000000001"],
        routes=_PAID,
    ),
    Key(
        "routes.*.pay_to[]",
        text("address", _PAYEE),
        "A payee.",
        example="0x0000000000000000000000000000000000000001",
    ),
    Key(
        "routes.*.price_jump_max",
        Kind('ratio, 1.1 to 1000: 3 or "1.5"', _RATIO),
        "Refuse this many times the usual price of one method and path.",
        usually="any price up to `max_payment`",
        example=3,
        routes=_PAID,
    ),
    Key(
        "routes.*.validity_s",
        whole(60, 300),
        "Seconds that a signed payment can be used for.",
        default=120,
        routes=_PAID,
    ),
    Key(
        "routes.*.breaker",
        section(),
        "Stop paying after so many payments that bought nothing.",
        routes=_PAID,
    ),
    Key("routes.*.breaker.undelivered_max", whole(1, 10_000), "How many.", default=5),
    Key(
        "routes.*.breaker.window",
        text("duration to 30d: 30m, 1h", "^[1-9][0-9]{0,5}[smhd]$"),
        "In how long.",
        default="1h",
    ),
    Key(
        "routes.*.approval",
        entry(),
        "Hold what is expensive until a person approves it.",
        routes=_PAID,
    ),
    Key(
        "routes.*.approval.above",
        amount(zero=True),
        "What costs more is held.",
        required=True,
        example="0.04 USDC",
    ),
    Key(
        "routes.*.approval.wait_s",
        seconds(1, 600),
        "How long; then it is refused.",
        default=120,
    ),
    Key(
        "routes.*.approval.webhook",
        url(query=True),
        "Is told of each, and may answer with a decision.",
        example="https://chat.example.com/hook",
    ),
    Key(
        "routes.*.top_up",
        section(),
        "How credit is bought.",
        routes=_PREPAID,
    ),
    Key(
        "routes.*.top_up.amount",
        amount(zero=False),
        "How much at a time; x402layer sells packages of its own.",
        usually="venice 10, nodit 1 USDC",
        example="10.00 USDC",
        routes=_AMOUNTS,
    ),
    Key(
        "routes.*.top_up.low_water",
        amount(zero=True),
        "Buy below this, before anybody is refused.",
        usually="once somebody is refused",
        example="2.00 USDC",
        routes=_AMOUNTS,
    ),
    Key("routes.*.top_up.max_per_hour", whole(1, 60), "Purchases in one hour.", default=2),
    Key("routes.*.top_up.wait_s", seconds(1, 600), "How long a request waits for it.", default=60),
    Key(
        "routes.*.sign_in",
        flag(),
        "Prove the wallet where the seller asks for it, before paying.",
        default=True,
        routes=frozenset({"pay_per_request"}),
    ),
    Key(
        "routes.*.use_credits",
        flag(),
        "Add `useCredits=1` to the query, where an endpoint wants it.",
        default=False,
        routes=frozenset({"x402layer"}),
    ),
    Key(
        "routes.*.api_key",
        kept("secret", "secret"),
        "The account's key; the app never sees it.",
        example={"env": "OPENAI_API_KEY"},
        routes=_KEYED,
        required_on=_KEYED,
    ),
    Key(
        "routes.*.api_key_header",
        choice("authorization", "x-api-key"),
        "Where it is sent: as a bearer token, or as Anthropic reads it.",
        default="authorization",
        routes=_KEYED,
    ),
    Key(
        "routes.*.prices",
        named({}, "prices by model"),
        "What is shown as a request's cost, where the vendor does not say.",
        routes=_PRICED,
    ),
    Key("routes.*.prices.*", entry(), "A model."),
    Key(
        "routes.*.prices.*.input",
        text("US dollars for a million tokens"),
        "Of the prompt.",
        required=True,
        example="0.15",
    ),
    Key(
        "routes.*.prices.*.output",
        text("US dollars for a million tokens"),
        "Of the answer.",
        required=True,
        example="0.60",
    ),
)
