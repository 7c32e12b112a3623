"""Bugs of the config's schema and of its check, and of what a service manager is told and hands."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LIFECYCLE = "tests/e2e/test_lifecycle.py"
START = "tests/e2e/test_start_errors.py"
NOTIFY = "tests/unit/service/test_notify.py"
INHERITED = "tests/unit/service/test_inherited.py"
SCHEMA = "tests/unit/config/test_schema.py"
REFERENCE = "tests/unit/config/test_reference.py"
CHECK = "tests/unit/cli/test_check.py"

CONFIG_AND_LIFECYCLE = (
    Mutant(
        "says that it is ready before it listens",
        "sidecar/service/process.py",
        "        service = await Service.start(",
        '        notifier.ready("soon")\n        service = await Service.start(',
        (f"{LIFECYCLE}::test_ready",),
    ),
    Mutant(
        "never says that it stops",
        "sidecar/service/notify.py",
        'self._tell("STOPPING=1", ',
        'self._tell("X=1", ',
        (f"{LIFECYCLE}::test_ready",),
    ),
    Mutant(
        "tells the watchdog from a thread",
        "sidecar/service/process.py",
        'tasks.spawn("watchdog", notifier.watch(ports.clock))',
        '__import__("threading").Thread(target=asyncio.run, args=(notifier.watch(ports.clock),), daemon=True).start()',
        (f"{LIFECYCLE}::test_hung_loop",),
    ),
    Mutant(
        "tells the watchdog for another process",
        "sidecar/service/notify.py",
        "watched = is_ours and period_us.isdecimal()",
        "watched = period_us.isdecimal()",
        (f"{NOTIFY}::test_watchdog",),
    ),
    Mutant(
        "tells the watchdog once in a period",
        "sidecar/service/notify.py",
        "self._watchdog_s / 2",
        "self._watchdog_s",
        (f"{NOTIFY}::test_watchdog",),
    ),
    Mutant(
        "dates a reload by the wall clock",
        "sidecar/service/notify.py",
        "time.clock_gettime_ns(time.CLOCK_MONOTONIC)",
        "time.time_ns()",
        (f"{NOTIFY}::test_reloading",),
    ),
    Mutant(
        "leaves the manager's socket to its children",
        "sidecar/service/notify.py",
        'environ.pop("NOTIFY_SOCKET", "")',
        'environ.get("NOTIFY_SOCKET", "")',
        (f"{NOTIFY}::test_taken",),
    ),
    Mutant(
        "binds an address although a socket was handed over",
        "sidecar/service/doors.py",
        "given = self._ports.sockets.get(key)",
        "given = None",
        (f"{LIFECYCLE}::test_sockets_handed_over",),
    ),
    Mutant(
        "knows itself by the config's address, not by the socket's",
        "sidecar/service/inherited.py",
        "return replace(config, listen=listen, admin=admin)",
        "return config",
        (f"{INHERITED}::test_addresses",),
    ),
    Mutant(
        "takes a Unix socket where the config has a port, and no user is known",
        "sidecar/service/inherited.py",
        "if type(listen) is not type(config.listen):",
        "if False:",
        (f"{INHERITED}::test_another_kind",),
    ),
    Mutant(
        "takes sockets that are meant for another process",
        "sidecar/service/inherited.py",
        "if meant != str(process):",
        "if not meant:",
        (f"{INHERITED}::test_none_for_us",),
    ),
    Mutant(
        "takes sockets in their order, whatever they are called",
        "sidecar/service/inherited.py",
        'names = written.split(":") if written else',
        "names = [] if False else",
        (f"{LIFECYCLE}::test_sockets_handed_over",),
    ),
    Mutant(
        "names nobody who holds a port",
        "sidecar/service/portholder.py",
        'holder_of(address.port) or "another program"',
        '"another program"',
        (f"{START}::test_port_taken",),
    ),
    Mutant(
        "writes sentences among JSON",
        "sidecar/logs/__init__.py",
        '        if self._console is None:\n            self.write(Line("info", event, ',
        '        if False:\n            self.write(Line("info", event, ',
        (f"{LIFECYCLE}::test_log_lines",),
    ),
    Mutant(
        "passes over a variable with a typo",
        "sidecar/config/variables.py",
        "        if name.startswith(PREFIX)\n",
        "        if name in VARIABLES\n",
        ("tests/unit/config/test_variables.py",),
    ),
    Mutant(
        "looks at no secret of a config that has mistakes",
        "sidecar/cli/check.py",
        "opened = None if config is None else",
        "opened = None if config is None or mistakes else",
        (f"{CHECK}::test_twenty_mistakes",),
    ),
    Mutant(
        "does not say where a secret stands",
        "sidecar/config/secrets.py",
        "{each}{on_line(ref.line)}",
        "{each}",
        (f"{CHECK}::test_secrets_that_cannot_be_had",),
    ),
    Mutant(
        "lets an editor pass any key",
        "sidecar/config/reference/schema.py",
        '"additionalProperties": False',
        '"additionalProperties": True',
        (f"{SCHEMA}::test_mutations[limits]",),
    ),
    Mutant(
        "lets an editor pass money without its unit",
        "sidecar/config/reference/key.py",
        r"(\.[0-9]{{1,6}})? USDC$",
        r"(\.[0-9]{{1,6}})?( USDC)?$",
        (f"{SCHEMA}::test_mutations[budgets[].limit]",),
    ),
    Mutant(
        "lets an editor pass a payment of nothing",
        "sidecar/config/reference/key.py",
        'none = "" if zero else',
        'none = "" if True else',
        (f"{SCHEMA}::test_mutations[routes.*.max_payment]",),
    ),
    Mutant(
        "lets an editor pass a route that could pay without a wallet",
        "sidecar/config/reference/schema.py",
        "if kind in key.required_on]",
        "if False]",
        (f"{SCHEMA}::test_mutations[routes.*.wallet]",),
    ),
    Mutant(
        "lets an editor pass what means nothing on a route",
        "sidecar/config/reference/schema.py",
        "if key.routes and kind not in key.routes}",
        "if False}",
        (f"{SCHEMA}::test_mutations[routes.*.top_up]",),
    ),
    Mutant(
        "lets an editor pass a URL with a password",
        "sidecar/config/reference/key.py",
        r"://[^/?#@\s]+",
        r"://[^/?#\s]+",
        (f"{SCHEMA}::test_corpus",),
    ),
    Mutant(
        "is stricter than the reader",
        "sidecar/config/reference/routes.py",
        "whole(60, 300)",
        "whole(60, 299)",
        (f"{REFERENCE}::test_bounds",),
    ),
    Mutant(
        "documents another default",
        "sidecar/config/reference/general.py",
        "default=2_048)",
        "default=2_047)",
        (f"{REFERENCE}::test_defaults",),
    ),
    Mutant(
        "reads a key that no reference has",
        "sidecar/config/tuning.py",
        '            "drain_wait_s",\n',
        '            "drain_wait_s",\n            "drain_wait_ms",\n',
        (f"{REFERENCE}::test_sections",),
    ),
    Mutant(
        "publishes a schema that is not the table's",
        "sidecar/config/reference/general.py",
        "Requests of one caller at a time.",
        "Requests of one caller.",
        (f"{REFERENCE}::test_written",),
    ),
    Mutant(
        "stops before what running tasks began",
        "sidecar/tasks.py",
        "                while self._tasks:\n",
        "                if self._tasks:\n",
        ("tests/unit/test_tasks.py::test_drain_waits_for_what_is_begun_meanwhile",),
    ),
)
