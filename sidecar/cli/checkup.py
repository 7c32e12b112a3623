"""What one look at something came to: it is well, it may matter, or it has to be mended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from sidecar.cli import exits
from sidecar.values import dataclass

State: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of ``sidecar doctor``. ``status``: what the command exits with when it failed."""

    state: State
    name: str
    detail: str
    fix: str = ""
    status: int = exits.OK

    def __post_init__(self) -> None:
        # Whoever reads that something is wrong wants to know what to do.
        assert bool(self.fix) == (self.state != "ok")
        assert bool(self.status) == (self.state == "fail")


def ok(name: str, detail: str) -> Check:
    return Check("ok", name, detail)


def warn(name: str, detail: str, fix: str) -> Check:
    return Check("warn", name, detail, fix)


def fail(name: str, detail: str, fix: str, status: int) -> Check:
    return Check("fail", name, detail, fix, status)


def worst(checks: Iterable[Check]) -> int:
    """The exit status: the highest of those that failed; 0 where none did."""
    return max((check.status for check in checks), default=exits.OK)
