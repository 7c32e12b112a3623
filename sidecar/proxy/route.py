"""A path prefix and what is behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TypeVar

from sidecar.http import Upstream
from sidecar.ledger.model import Budget
from sidecar.payments.balances import Source
from sidecar.payments.credentials import Credentials
from sidecar.payments.order import PayingRoute
from sidecar.payments.prepaid import PrepaidRoute
from sidecar.providers.base import Provider
from sidecar.proxy.wires import Wires
from sidecar.values import dataclass

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Route:
    """One provider under its own prefix.

    ``paying`` is None where nothing is ever paid, ``prepaid`` where no credit is bought.
    """

    name: str
    base_url: str
    provider: Provider
    upstream: Upstream
    credentials: Credentials
    response_wait_s: float
    budgets: tuple[Budget, ...] = ()
    paying: PayingRoute | None = None
    prepaid: PrepaidRoute | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    source: Source | None = None  # where its balance is read
    query: str = ""  # added to each request's own
    wires: Wires | None = None  # for the fast lane; None where all go the ordinary way

    def url(self, target: str) -> str:
        """Where a request for this target goes."""
        if self.query:
            target += f"{'&' if '?' in target else '?'}{self.query}"
        return self.base_url + target

    @property
    def reads_bodies(self) -> bool:
        """Whether its vendor says in the bodies what a request cost."""
        return self.provider.traits.reads_bodies

    @property
    def rehearses_credit(self) -> bool:
        """Whether it would buy credit, if this were not shadow mode."""
        return self.prepaid is not None and self.prepaid.paying.shadow

    @property
    def observed(self) -> bool:
        """Whether its vendor says anything beside its answers."""
        return self.reads_bodies or self.provider.traits.reads_heads

    def budgets_with(self, others: Iterable[Budget]) -> tuple[Budget, ...]:
        """This route's budgets and these, each once, in one order for everybody."""
        return once_each((*self.budgets, *others))


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Every route by its name; one of them may also be served without its prefix."""

    routes: dict[str, Route]
    default: Route | None

    def find(self, target: str) -> tuple[Route, str] | None:
        """The route for this target, and the target as its upstream shall see it."""
        return find_route(self.routes, self.default, target)

    def prefixes(self) -> str:
        """The prefixes for a message."""
        return ", ".join(f"/{name}" for name in sorted(self.routes))


def find_route(routes: Mapping[str, R], default: R | None, target: str) -> tuple[R, str] | None:
    """By the path's first word, which is cut off, else the default; None where there is none."""
    path, question, query = target.partition("?")
    name, _, rest = path[1:].partition("/")
    route = routes.get(name)
    if route is not None:
        return route, f"/{rest}{question}{query}"
    return None if default is None else (default, target)


def once_each(budgets: Iterable[Budget]) -> tuple[Budget, ...]:
    """These budgets, each once, in one order for everybody."""
    named = {budget.name: budget for budget in budgets}
    return tuple(named[name] for name in sorted(named))
