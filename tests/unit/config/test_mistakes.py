"""The top of the config and its numbers, wrong in each typical way."""

from __future__ import annotations

import pytest

from tests.unit.config.configs import GONE, KEYED, SELLER, changed, mistakes_in

SIZE_FIX = 'write it like "16 MiB"'
USDC_FIX = 'write it like "5.00 USDC"'
REF_FIX = "write {file: PATH} or {env: NAME}"
K = ("routes", "keyed")
W = ("wallets", "main")
Steps = tuple[str | int, ...]

# Where it is, what is written there, and the whole message.
TOP: list[tuple[Steps, object, str]] = [
    (("version",), GONE, "version: missing; start with: version: 1"),
    (("version",), 2, "version: not a version that this program reads; write version: 1"),
    (("version",), True, "version: not a version that this program reads; write version: 1"),
    (("version",), "1", "version: not a version that this program reads; write version: 1"),
    (("lisen",), "127.0.0.1:1", 'lisen: unknown key; did you mean "listen"?'),
    (("listen",), 8402, 'listen: not text; write it like "127.0.0.1:8402", in quotes'),
    (
        ("listen",),
        "8402",
        "listen: not an address: '8402'; write it like \"127.0.0.1:8402\", port 0 to 65535",
    ),
    (
        ("listen",),
        "127.0.0.1:65536",
        "listen: not an address: '127.0.0.1:65536'; "
        'write it like "127.0.0.1:8402", port 0 to 65535',
    ),
    (("listen",), None, 'listen: has no value; write it like "127.0.0.1:8402"'),
    (
        ("admin",),
        "::1:9402",
        "admin: not an address: '::1:9402'; write it like \"127.0.0.1:9402\", port 0 to 65535",
    ),
    (
        ("admin",),
        "127.0.0.1:8402",
        "admin: port 8402 is the port of listen, too; use two ports",
    ),
    (("auth",), "off", "auth: not a choice: 'off'; use one of: none, token"),
    (("auth",), "tokens", "auth: not a choice: 'tokens'; did you mean \"token\"?"),
    (("auth",), False, "auth: not text; use one of: token, none, in quotes"),
    (("hosts",), "sidecar", "hosts: not a list; write it like [first, second]"),
    (
        ("hosts",),
        ["*.example.com"],
        "hosts[0]: not a Host value: '*.example.com'; "
        'write it like "sidecar:8402", without patterns',
    ),
    (("hosts",), ["a"] * 65, "hosts: 65 hosts; name at most 64"),
    (("state_dir",), 5, "state_dir: not text; name a folder, in quotes"),
    (("ledger",), "ledger.db", "ledger: not a mapping; write it like {name: {...}}"),
    (("ledger",), {"sqlite": 5}, "ledger.sqlite: not text; name a file, in quotes"),
    (
        ("ledger",),
        {"postgres": {"env": "URL"}, "sqlite": "ledger.db"},
        "ledger.postgres: a ledger has one place, and this has sqlite too; leave one of them out",
    ),
    (
        ("ledger",),
        {"postgres": "postgresql://u:hunter2@db/sidecar"},
        "ledger.postgres: a secret does not stand in the config itself; "
        "write {file: PATH} or {env: NAME}",
    ),
    (
        ("ledger",),
        {"postgres": {"lease_s": 15}},
        "ledger.postgres: a secret is kept in exactly one place; write {file: PATH} or {env: NAME}",
    ),
    (
        ("ledger",),
        {"postgres": {"env": "URL", "pool": 5}},
        "ledger.postgres.pool: unknown key; use one of: connections_max, env, file, lease_s, "
        "leases, migrate",
    ),
    (
        ("ledger",),
        {"postgres": {"env": "URL", "lease_s": 0}},
        "ledger.postgres.lease_s: out of range: 0; use a number of seconds from 1 to 300",
    ),
    (
        ("ledger",),
        {"postgres": {"env": "URL", "migrate": "no"}},
        "ledger.postgres.migrate: not true or false; write true or false",
    ),
    (("routes",), GONE, "routes: missing; name an upstream"),
    (
        ("routes",),
        {},
        "routes: no routes; name an upstream, as in config/sidecar.example.yaml",
    ),
    (("routes",), ["venice"], "routes: not a mapping; write it like {name: {...}}"),
]

TUNING: list[tuple[Steps, object, str]] = [
    (("limits",), [1], "limits: not a mapping; write it like {name: {...}}"),
    (
        ("limits", "replay_byte_max"),
        1,
        'limits.replay_byte_max: unknown key; did you mean "replay_bytes_max"?',
    ),
    (("limits", "replay_bytes_max"), "16MB", f"limits.replay_bytes_max: not a size; {SIZE_FIX}"),
    (
        ("limits", "replay_bytes_max"),
        -1,
        "limits.replay_bytes_max: out of range: -1; use a whole number from 0 to 1073741824",
    ),
    (
        ("limits", "replay_bytes_max"),
        "2 GiB",
        "limits.replay_bytes_max: out of range: 2 GiB; use 0 to 1073741824 bytes",
    ),
    (
        ("limits", "replay_memory_max"),
        "1 MiB",
        "limits.replay_memory_max: less than replay_bytes_max, so that not even one body fits; "
        "raise it, or lower replay_bytes_max",
    ),
    (
        ("limits", "header_bytes_max"),
        1,
        "limits.header_bytes_max: out of range: 1; use a whole number from 8192 to 1048576",
    ),
    *(
        (
            ("limits", key),
            0,
            f"limits.{key}: out of range: 0; use a whole number from 1 to 65536",
        )
        for key in ("connections_max", "caller_requests_max")
    ),
    *(
        (
            ("limits", key),
            0,
            f"limits.{key}: out of range: 0; use a number of seconds from 1 to 3600",
        )
        for key in ("header_wait_s", "body_idle_s", "keepalive_s")
    ),
    (
        ("limits", "drain_wait_s"),
        "30s",
        "limits.drain_wait_s: not a number; use a number of seconds from 0 to 3600",
    ),
    (
        ("recovery", "interval_s"),
        0,
        "recovery.interval_s: out of range: 0; use a number of seconds from 0.1 to 3600",
    ),
    (
        ("recovery", "undelivered_ttl_s"),
        100_000,
        "recovery.undelivered_ttl_s: out of range: 100000; use a number of seconds from 1 to 86400",
    ),
    (
        ("recovery", "reconcile_interval_s"),
        0,
        "recovery.reconcile_interval_s: out of range: 0; use a number of seconds from 1 to 86400",
    ),
    (("log", "format"), "xml", "log.format: not a choice: 'xml'; use one of: auto, console, json"),
    (
        ("log", "level"),
        "warn",
        "log.level: not a choice: 'warn'; did you mean \"warning\"?",
    ),
]


@pytest.mark.parametrize(("steps", "written", "message"), [*TOP, *TUNING])
def test_one_mistake(steps: Steps, written: object, message: str) -> None:
    """A wrong value is refused with its path, what is wrong, and the fix."""
    found = mistakes_in(changed(*steps, to=written))

    assert message in found


def test_two_defaults() -> None:
    """Only one route can be the default."""
    text = changed("routes", to={"a": SELLER | {"default": True}, "b": KEYED | {"default": True}})

    assert ("routes.b: 'a' is the default already; keep default: true on one",) == mistakes_in(text)


def test_all_at_once() -> None:
    """Every mistake is found in one pass, in the order of the file, each with its line."""
    text = (
        "version: 1\n"
        "listen: 8402\n"
        "routes:\n"
        "  seller:\n"
        "    provider: pay_per_request\n"
        "    upstream: http://api.example.com\n"
        "    max_payment: 0.05\n"
    )

    assert [
        'listen: not text; write it like "127.0.0.1:8402", in quotes',
        "routes.seller.wallet: missing; "
        "name a wallet of wallets, or set EVM_PRIVATE_KEY and write wallet: main",
        'routes.seller.networks: missing; list what may be paid on, like ["eip155:8453"]',
        "routes.seller.budgets: missing; name a budget of budgets, like [day]",
        "routes.seller.upstream: http:// to another machine is readable and changeable on its "
        "way; use https://, or set insecure: true beside it",
        f"routes.seller.max_payment: an amount has its unit, and 0.05 has none; {USDC_FIX}",
    ] == list(mistakes_in(text))


def test_wrong_budget_still_exists() -> None:
    """A route that names a budget with a wrong limit is not told that there is no such budget."""
    found = mistakes_in(changed("budgets", 0, "limit", to="five"))

    assert (f"budgets[0].limit: not an amount; {USDC_FIX}",) == found


def test_bounded() -> None:
    """Fifty mistakes are shown, and the rest are counted."""
    text = changed("routes", to={f"r{number}": SELLER | {"x": 1} for number in range(60)})

    found = mistakes_in(text)

    assert (51, "and 10 more mistakes; mend these first") == (len(found), found[-1])


@pytest.mark.parametrize("secret", ["0x" + "5e" * 32, "sk-live-5e5e5e5e"])
@pytest.mark.parametrize(
    "steps",
    [
        (*W, "key"),
        (*W, "key", "env"),
        (*W, "key", "password"),
        ("callers", 0, "token"),
        (*K, "api_key"),
        (*K, "api_key", "env"),
    ],
)
def test_no_secret_in_a_message(steps: Steps, secret: str) -> None:
    """What stands where a secret belongs is never repeated: it may be one."""
    found = mistakes_in(changed(*steps, to=secret))

    assert "" == "".join(line for line in found if "5e5e" in line)
