"""What a route may say, and what it must."""

from __future__ import annotations

import pytest

from tests.unit.config.configs import GONE, PAYEE, SELLER, changed, mistakes_in

NAME_RULE = "use up to 32 of a-z, 0-9, _ and -, starting with a letter or digit"
USDC_FIX = 'write it like "5.00 USDC"'
PROVIDERS = "use one of: pay_per_request, libertai, venice, nodit, x402layer, api_key"
REF_FIX = "write {file: PATH} or {env: NAME}"
RATIO_FIX = 'write how many times the usual price, like 3 or "1.5"'
HEX_FIX = 'write it like "0x…", 40 hex digits, or a Solana address'
EMPTY = "empty, and empty means no"

S = ("routes", "seller")
K = ("routes", "keyed")
Steps = tuple[str | int, ...]

# Where it is, what is written there, and the whole message.
ROUTES: list[tuple[Steps, object, str]] = [
    (("routes", "Venice"), SELLER, f"routes.Venice: not a name: 'Venice'; {NAME_RULE}"),
    (("routes", "a" * 33), SELLER, f"routes.{'a' * 33}: not a name: '{'a' * 33}'; {NAME_RULE}"),
    (
        ("routes", "v1"),
        SELLER,
        'routes.v1: the name "v1" is taken by the API itself; choose another',
    ),
    (S, "https://api.example.com", "routes.seller: not a mapping; write it like {name: {...}}"),
    ((*S, "walet"), "main", 'routes.seller.walet: unknown key; did you mean "wallet"?'),
    ((*S, "provider"), GONE, f"routes.seller.provider: missing; {PROVIDERS}"),
    ((*S, "provider"), 5, f"routes.seller.provider: not text; {PROVIDERS}, in quotes"),
    (
        (*S, "provider"),
        "pay-per-request",
        "routes.seller.provider: there is no provider 'pay-per-request'; "
        'did you mean "pay_per_request"?',
    ),
    ((*S, "default"), "maybe", "routes.seller.default: not true or false; write true or false"),
    (
        (*S, "response_wait_s"),
        0,
        "routes.seller.response_wait_s: out of range: 0; use a number of seconds from 1 to 3600",
    ),
    (
        (*S, "response_wait_s"),
        "10m",
        "routes.seller.response_wait_s: not a number; use a number of seconds from 1 to 3600",
    ),
    (
        (*S, "response_wait_s"),
        float("nan"),
        "routes.seller.response_wait_s: not a number; use a number of seconds from 1 to 3600",
    ),
    (
        (*S, "connect_wait_s"),
        True,
        "routes.seller.connect_wait_s: not a number; use a number of seconds from 0.1 to 60",
    ),
]

MONEY: list[tuple[Steps, object, str]] = [
    (
        (*S, "wallet"),
        GONE,
        "routes.seller.wallet: missing; "
        "name a wallet of wallets, or set EVM_PRIVATE_KEY and write wallet: main",
    ),
    (
        (*S, "wallet"),
        "mian",
        "routes.seller.wallet: there is no wallet 'mian'; did you mean \"main\"?",
    ),
    (
        (*S, "networks"),
        GONE,
        'routes.seller.networks: missing; list what may be paid on, like ["eip155:8453"]',
    ),
    (
        (*S, "networks"),
        [],
        f'routes.seller.networks: {EMPTY}; list what may be paid on, like ["eip155:8453"]',
    ),
    (
        (*S, "networks"),
        ["base-sepolia"],
        "routes.seller.networks[0]: not a network that we know: 'base-sepolia'; "
        'write "eip155:84532"',
    ),
    (
        (*S, "networks"),
        ["eip155:8543"],
        "routes.seller.networks[0]: not a network that we know: 'eip155:8543'; "
        'did you mean "eip155:8453"?',
    ),
    (
        (*S, "max_payment"),
        GONE,
        'routes.seller.max_payment: missing; cap each payment, like "0.05 USDC"',
    ),
    (
        (*S, "max_payment"),
        0.05,
        f"routes.seller.max_payment: an amount has its unit, and 0.05 has none; {USDC_FIX}",
    ),
    (
        (*S, "max_payment"),
        "0 USDC",
        'routes.seller.max_payment: no payment is that small; cap each payment, like "0.05 USDC"',
    ),
    (
        (*S, "max_payment"),
        None,
        f"routes.seller.max_payment: has no value; {USDC_FIX}",
    ),
    (
        (*S, "budgets"),
        GONE,
        "routes.seller.budgets: missing; name a budget of budgets, like [day]",
    ),
    (
        (*S, "budgets"),
        [],
        f"routes.seller.budgets: {EMPTY}; name a budget of budgets, like [day]",
    ),
    (
        (*S, "budgets"),
        ["night"],
        "routes.seller.budgets[0]: there is no budget 'night'; use one of: day",
    ),
    (
        (*S, "budgets"),
        ["day", "day"],
        "routes.seller.budgets[1]: 'day' is named twice; name it once",
    ),
    *(
        ((*S, "price_jump_max"), value, f"routes.seller.price_jump_max: {what}")
        for value, what in (
            (1.5, f"not text; {RATIO_FIX}, in quotes"),
            (True, f"not text; {RATIO_FIX}, in quotes"),
            (None, f"has no value; {RATIO_FIX}"),
            (0, f"not a ratio: '0'; {RATIO_FIX}"),
            (-3, f"not a ratio: '-3'; {RATIO_FIX}"),
            ("1e2", f"not a ratio: '1e2'; {RATIO_FIX}"),
            ("1_0", f"not a ratio: '1_0'; {RATIO_FIX}"),
            ("\uff13", f"not a ratio: '\uff13'; {RATIO_FIX}"),
            ("1.2345", f"not a ratio: '1.2345'; {RATIO_FIX}"),
            ("nan", f"not a ratio: 'nan'; {RATIO_FIX}"),
            ("1.09", "out of range: 1.09; use 1.1 to 1000"),
            (1001, "out of range: 1001; use 1.1 to 1000"),
        )
    ),
    ((*S, "pay_to"), ["0x12"], f"routes.seller.pay_to[0]: not an address: '0x12'; {HEX_FIX}"),
    ((*S, "pay_to"), [5], f"routes.seller.pay_to[0]: not text; {HEX_FIX}, in quotes"),
    (
        (*S, "pay_to"),
        [],
        f"routes.seller.pay_to: {EMPTY}; name a payee, or remove it to pin the first",
    ),
    (
        (*S, "validity_s"),
        30,
        "routes.seller.validity_s: out of range: 30; use a whole number from 60 to 300",
    ),
    (
        (*S, "validity_s"),
        120.5,
        "routes.seller.validity_s: not a whole number; use a whole number from 60 to 300",
    ),
    (
        (*S, "breaker"),
        {"undelivered_max": 0},
        "routes.seller.breaker.undelivered_max: out of range: 0; "
        "use a whole number from 1 to 10000",
    ),
    (
        (*S, "breaker"),
        {"window": 60},
        "routes.seller.breaker.window: not a duration; write it like 30m, 1h or 1d",
    ),
    (
        (*S, "breaker"),
        {"window": "31d"},
        "routes.seller.breaker.window: out of range: 31d; use at most 30d",
    ),
    (
        (*S, "api_key"),
        {"env": "KEY"},
        "routes.seller.api_key: pay_per_request takes no API key; remove it",
    ),
    ((*K, "api_key"), GONE, f"routes.keyed.api_key: missing; {REF_FIX}"),
    (
        (*K, "api_key"),
        "sk-123",
        f"routes.keyed.api_key: a secret does not stand in the config itself; {REF_FIX}",
    ),
    *(
        (
            (*K, key),
            value,
            f"routes.keyed.{key}: a route with provider api_key never pays; remove it",
        )
        for key, value in (
            ("wallet", "main"),
            ("networks", ["eip155:8453"]),
            ("max_payment", "0.05 USDC"),
            ("budgets", ["day"]),
            ("pay_to", [PAYEE]),
            ("price_jump_max", 3),
            ("validity_s", 120),
            ("breaker", {"undelivered_max": 5}),
        )
    ),
]


@pytest.mark.parametrize(("steps", "written", "message"), [*ROUTES, *MONEY])
def test_one_mistake(steps: Steps, written: object, message: str) -> None:
    """A wrong route is refused with its path, what is wrong, and the fix."""
    found = mistakes_in(changed(*steps, to=written))

    assert message in found
