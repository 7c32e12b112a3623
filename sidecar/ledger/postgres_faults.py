"""What Postgres' faults mean to a person, and which of them pass by themselves."""

from __future__ import annotations

import psycopg

from sidecar.errors import LedgerError

# What the driver raises, and a text that has no bytes (half of a surrogate pair).
FAULTS = (psycopg.Error, OSError, UnicodeError)

_MEANINGS = {
    "25006": "the server takes no writes: it is a standby; name the primary, or all servers with "
    "target_session_attrs=read-write",
    "28000": "the server does not let this user in; see its pg_hba.conf",
    "28P01": "the password is wrong",
    "3D000": "there is no such database; create it",
    "42501": "this user may not do that ({message}); make it the owner of the schema",
    "53100": "the server's disk is full; make room on it",
    "53300": "the server has no connection left; raise max_connections, or put pgbouncer before it",
    "55P03": "another process kept it locked for too long; see pg_stat_activity",
}
# The kind of a code (its first two letters) where no code itself is known.
_KINDS = {
    "23": "a rule of the ledger forbids it ({message})",
    "XX": "it is damaged ({message}); restore it from a backup",
}
# A server that stops, starts or hands over; a conflict of two that has to be tried again.
_PASSING = frozenset({"25006", "25P03", "40001", "40P01", "57P01", "57P02", "57P03", "57P05"})


def passes(fault: Exception) -> bool:
    """Whether the same, asked again, may be answered: the connection or the server went away."""
    if not isinstance(fault, psycopg.Error):
        return isinstance(fault, OSError)
    if fault.sqlstate is None:
        return isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError)
    return fault.sqlstate in _PASSING or fault.sqlstate.startswith("08")


def explain(place: str, fault: Exception) -> Exception:
    """The fault in a person's words. What is not the store's is returned as it is."""
    match fault:
        case psycopg.Error():
            said = (fault.diag.message_primary or str(fault)).strip()
            code = fault.sqlstate or ""
            meaning = _MEANINGS.get(code) or _KINDS.get(code[:2]) or "{message}"
            return LedgerError(f"ledger {place}: {meaning.format(message=said)}")
        case UnicodeError():
            return LedgerError(f"ledger {place}: a text cannot be stored ({fault})")
        case OSError():
            return LedgerError(f"ledger {place}: {fault.strerror or fault}")
        case _:
            return fault
