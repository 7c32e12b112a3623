"""The rows of the top, and of the numbers that have sensible defaults."""

from __future__ import annotations

from sidecar.config.reference.key import (
    Key,
    Kind,
    amount,
    choice,
    entry,
    flag,
    listed,
    seconds,
    section,
    size,
    text,
    whole,
)

_PORT = (
    "([0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"  # to 65535
)
_TCP = rf"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):{_PORT}"
_HOST = r"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"

_TOP = (
    Key(
        "version",
        Kind("1", {"type": "integer", "const": 1}),
        "The version of this format.",
        required=True,
        example=1,
    ),
    Key(
        "listen",
        text("HOST:PORT or unix:/PATH", rf"^({_TCP}|unix:~?/.*)$"),
        "Where apps connect: `OPENAI_BASE_URL=http://127.0.0.1:8402/v1`. On a Unix socket the "
        "kernel says who connects, and callers have a `uid`. Port 0 lets the system choose.",
        default="127.0.0.1:8402",
        override="listen",
    ),
    Key(
        "admin",
        text("HOST:PORT", rf"^{_TCP}$"),
        "Where health, metrics, status and the switches are.",
        default="127.0.0.1:9402",
        override="admin",
    ),
    Key(
        "hosts",
        listed("list of Host values, up to 64", maxItems=64),
        "Host values that are allowed beside those of `listen`, exact and without patterns. "
        "The variable separates them by commas.",
        default=[],
        override="hosts",
    ),
    Key("hosts[]", text("Host value", _HOST), "A Host value.", example="sidecar:8402"),
    Key(
        "auth",
        choice("token", "none"),
        "`token`: apps send one as their API key. `none`: whoever can reach the port can spend.",
        default="token",
        override="auth",
    ),
    Key(
        "mode",
        choice("live", "shadow"),
        "`shadow` applies every rule and signs nothing; what would be paid is booked in a ledger "
        "of its own.",
        default="live",
        override="mode",
    ),
    Key(
        "state_dir",
        text("folder"),
        "Ledger and tokens; it is made with mode 0700.",
        usually="`~/.local/state/sidecar` (XDG)",
        example="/var/lib/sidecar",
        override="state_dir",
    ),
    Key(
        "event_loop",
        choice("uvloop", "asyncio"),
        "`asyncio` is Python's own: slower, and without a package.",
        default="uvloop",
        override="event_loop",
    ),
    Key(
        "workers",
        whole(1, 64),
        "Processes that serve on `listen`; one for each core is usual. With more than one, another "
        "process keeps them and has the admin port, and of `limits` those on connections and "
        "requests are each worker's own; `replay_memory_max` is shared out.",
        default=1,
        override="workers",
    ),
    Key("ledger", section(maxProperties=1), "Where payments are written down."),
    Key(
        "ledger.sqlite",
        text("file"),
        "The ledger's file; relative to `state_dir`.",
        default="ledger.db",
    ),
    Key(
        "ledger.postgres",
        entry(oneOf=[{"required": ["file"]}, {"required": ["env"]}]),
        "In place of a file: a Postgres database, for the sidecars of many machines "
        "(`pip install 'x402-sidecar[postgres]'`).",
    ),
    Key(
        "ledger.postgres.env",
        text("name of a variable", "^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
        "The variable that holds its URL, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`: a "
        "secret. Another machine wants `?sslmode=verify-full`; several hosts are separated by "
        "commas, with `target_session_attrs=read-write`.",
        example="SIDECAR_LEDGER_URL",
    ),
    Key(
        "ledger.postgres.file",
        text("file"),
        "Or the file, as private as every secret's.",
        example="ledger.url",
    ),
    Key(
        "ledger.postgres.lease_s",
        seconds(1, 300),
        "How long a sidecar that is not heard of counts as living, and keeps what it holds.",
        default=15,
    ),
    Key(
        "ledger.postgres.connections_max",
        whole(2, 64),
        "Connections of one sidecar to the server.",
        default=8,
    ),
    Key(
        "ledger.postgres.migrate",
        flag(),
        "`run` makes the tables, or brings them up to date; `false`: only `sidecar migrate` does.",
        default=True,
    ),
    Key(
        "ledger.postgres.leases",
        section(),
        "For many machines: each takes a slice of a budget and spends it by itself, from a file in "
        "`state_dir`, which must outlive the process. An identical call is a retry only where it "
        "comes to the same machine. `{}` takes the defaults; without it nothing is taken.",
    ),
    Key(
        "ledger.postgres.leases.size",
        amount(zero=False),
        "What is taken of a budget at a time: no more than an eighth of what is left, and no less "
        "than the payment that needs it. A machine that is lost with its disk takes as much along.",
        default="1.00 USDC",
    ),
    Key(
        "ledger.postgres.leases.lifetime_s",
        seconds(5, 3_600),
        "How long a machine that cannot reach the database goes on, and a freeze may take to get "
        "to it. What nothing was drawn from is given back within two thirds of it.",
        default=60,
    ),
)

_DAY_S = 86_400
_KIB, _MIB, _GIB = 2**10, 2**20, 2**30
_TUNING = (
    Key("limits", section(), "What one app, one request or one connection may take."),
    Key(
        "limits.replay_bytes_max",
        size(0, _GIB, "to 1 GiB"),
        "A larger request body is streamed, and never paid for.",
        default="16 MiB",
    ),
    Key(
        "limits.replay_memory_max",
        size(0, 64 * _GIB, "to 64 GiB"),
        "All kept bodies together, in memory or in temporary files.",
        default="256 MiB",
    ),
    Key(
        "limits.header_bytes_max",
        size(8 * _KIB, _MIB, "8 KiB to 1 MiB"),
        "The head of one request.",
        default="64 KiB",
    ),
    Key("limits.connections_max", whole(1, 65_536), "Connections of apps.", default=2_048),
    Key(
        "limits.caller_requests_max",
        whole(1, 65_536),
        "Requests of one caller at a time.",
        default=1_024,
    ),
    Key(
        "limits.header_wait_s",
        seconds(1, 3_600),
        "For a head to be complete; it is cut up to an eighth later.",
        default=20,
    ),
    Key(
        "limits.body_idle_s",
        seconds(1, 3_600),
        "For the next KiB of a request's body.",
        default=60,
    ),
    Key("limits.keepalive_s", seconds(1, 3_600), "An idle connection is kept.", default=75),
    Key(
        "limits.drain_wait_s",
        seconds(0, 3_600),
        "For requests in flight when the sidecar is stopped.",
        default=30,
    ),
    Key(
        "limits.fast_lane",
        flag(),
        "Ordinary requests pass without a task or a parser.",
        default=True,
        override="fast_lane",
    ),
    Key("recovery", section(), "How payments in doubt are looked after."),
    Key(
        "recovery.interval_s",
        seconds(0.1, 3_600),
        "Between two looks at payments in doubt.",
        default=15,
    ),
    Key(
        "recovery.undelivered_ttl_s",
        seconds(1, _DAY_S),
        "How long a repeated request binds to what was paid and not delivered.",
        default=600,
    ),
    Key(
        "recovery.reconcile_interval_s",
        seconds(1, _DAY_S),
        "Between two comparisons of the ledger with what left the wallets.",
        default=3_600,
    ),
    Key("balances", section(), "How often balances are read."),
    Key(
        "balances.interval_s",
        seconds(1, _DAY_S),
        "Between two looks at credit and wallets.",
        default=60,
    ),
    Key("log", section(), "The log, on stderr."),
    Key(
        "log.format",
        choice("auto", "json", "console"),
        "`auto`: console on a terminal, JSON elsewhere.",
        default="auto",
        override="log_format",
    ),
    Key(
        "log.level",
        choice("debug", "info", "warning", "error"),
        "What is written.",
        default="info",
        override="log_level",
    ),
)

GENERAL = (*_TOP, *_TUNING)
