"""What Postgres' faults mean to a person, and which of them pass by themselves."""

from __future__ import annotations

import re

import psycopg

from sidecar.errors import LedgerError

# What the driver raises, and a text that has no bytes (half of a surrogate pair).
FAULTS = (psycopg.Error, OSError, UnicodeError)

_DAMAGED = "it is damaged ({message}); restore it from a backup"
_MEANINGS = {
    # How a statement ends that needs a window and finds none.
    "22012": _DAMAGED.format(message="a budget's window is missing"),
    "25006": "the server takes no writes: it is a standby; name the primary, or all servers with "
    "target_session_attrs=read-write",
    "28000": "the server does not let this user in; see its pg_hba.conf",
    "28P01": "the password is wrong, or there is none in the URL",
    "3D000": "there is no such database; create it",
    "42501": "this user may not do that ({message}); make it the owner of the schema",
    "53100": "the server's disk is full; make room on it",
    "53300": "the server has no connection left; raise max_connections, or put pgbouncer before it",
    "55P03": "another process kept it locked for too long; see pg_stat_activity",
}
# The kind of a code (its first two letters) where no code itself is known.
_KINDS = {
    "23": "a rule of the ledger forbids it ({message})",
    "XX": _DAMAGED,
}
# A server that stops, starts or hands over; a conflict of two that has to be tried again.
_PASSING = frozenset(
    {"25006", "25P03", "40001", "40P01", "53300", "57P01", "57P02", "57P03", "57P05"}
)
# Who is not let in is told so in words; the code stays in the driver. A server that speaks another
# language is quoted as it is. What a standby says first has the code of something else.
_IN_WORDS = (
    (re.compile("password authentication failed|no password supplied"), "28P01"),
    (re.compile("no pg_hba.conf entry|role .* does not exist|not permitted to log in"), "28000"),
    (re.compile("database .* does not exist"), "3D000"),
    (re.compile("too many (connections|clients)|remaining connection slots"), "53300"),
    (re.compile("session is read-only|during recovery"), "25006"),
)


def passes(fault: Exception) -> bool:
    """Whether the same, asked again, may be answered: the connection or the server went away."""
    if not isinstance(fault, psycopg.Error):
        return isinstance(fault, OSError)
    code = _code(fault)
    if not code:
        return isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError)
    return code in _PASSING or code.startswith("08")


def waited(place: str, fault: BaseException, wait_s: float) -> LedgerError:
    """What to say when it did not pass in this time: what is missing, where that is known."""
    meaning = _MEANINGS.get(_code(fault)) if isinstance(fault, psycopg.Error) else None
    if meaning is not None:
        return LedgerError(f"ledger {place}: {meaning}")
    words = " ".join(str(fault).split()) or type(fault).__name__
    return LedgerError(f"ledger {place}: no answer within {wait_s:g} s ({words})")


def explain(place: str, fault: Exception) -> Exception:
    """The fault in a person's words. What is not the store's is returned as it is."""
    match fault:
        case psycopg.Error():
            said = (fault.diag.message_primary or str(fault)).strip()
            code = _code(fault)
            meaning = _MEANINGS.get(code) or _KINDS.get(code[:2]) or "{message}"
            return LedgerError(f"ledger {place}: {meaning.format(message=said)}")
        case UnicodeError():
            return LedgerError(f"ledger {place}: a text cannot be stored ({fault})")
        case OSError():
            return LedgerError(f"ledger {place}: {fault.strerror or fault}")
        case _:
            return fault


def _code(fault: psycopg.Error) -> str:
    """Its SQLSTATE; "" where there is none."""
    words = str(fault)
    for said, code in _IN_WORDS:
        if said.search(words) and (fault.sqlstate is None or code == "25006"):
            return code
    return fault.sqlstate or ""
