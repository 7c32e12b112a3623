"""What a ledger's server says about itself: its settings, its clock, and who uses the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sidecar.cli import exits
from sidecar.cli.check import PRIVATELY
from sidecar.cli.checkup import Check, fail, ok, warn
from sidecar.cli.desk import postgres_desk
from sidecar.clock import Clock
from sidecar.config.model import PostgresUrl
from sidecar.config.secrets import open_server
from sidecar.errors import LedgerError

# Budgets' windows start by each replica's own clock.
SKEW_WARN_S = 5.0


def check_server(told: PostgresUrl, environ: Mapping[str, str], clock: Clock) -> Iterator[Check]:
    """The server that a ledger is on, or will be on."""
    server = open_server(told, environ)
    if not server.is_private:
        yield warn("ledger privacy", f"{server.place}: others on the way may read it", PRIVATELY)
    desk = postgres_desk(told, environ)
    try:
        if not desk.exists():
            return
        standing, now = desk.standing(), clock.now()
    except LedgerError as fault:
        detail, _, fix = fault.diagnostics().partition("; ")
        yield fail("ledger server", detail, fix or "see what is wrong there", exits.TRANSPORT)
        return
    yield ok("ledger server", f"PostgreSQL {standing.server}, and its tables are up to date")
    yield _check_users(standing.living, standing.orphaned)
    ahead_s = (now - standing.now).total_seconds()
    detail = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} {server.place}"
    if abs(ahead_s) > SKEW_WARN_S:
        yield warn("ledger clock", detail, "let both be set (NTP), or windows start apart")
    else:
        yield ok("ledger clock", detail)


def _check_users(living: int, orphaned: int) -> Check:
    detail = f"{living} sidecars have it open"
    if orphaned and not living:
        return warn(
            "ledger users",
            f"{detail}, and {orphaned} payments are set aside by some that are gone",
            "the next that is started frees them",
        )
    return ok("ledger users", detail)
