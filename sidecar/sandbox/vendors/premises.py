"""What every vendor is given, and what every vendor is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import web

from sidecar.clock import Clock, Entropy
from sidecar.sandbox.books import Books
from sidecar.sandbox.chain import Chain
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.vendors.accounts import VendorBooks
from sidecar.sandbox.vendors.conduct import Conduct
from sidecar.sandbox.vendors.rails import Rail
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Premises:
    """The sandbox as a vendor sees it."""

    options: SandboxOptions
    chain: Chain
    # The sandbox's own books: every payment on its chain is in them, whoever was paid.
    payments: Books
    clock: Clock
    entropy: Entropy
    conduct: Conduct
    # Host and port, as in a Host header. Known only once the sandbox listens.
    authority: Callable[[], str]
    rails: tuple[Rail, ...]

    def domains(self) -> frozenset[str]:
        """The names that a sign-in may be for."""
        port = self.authority().rpartition(":")[2]
        # Two routes that are to have different origins reach one sandbox by two of its names.
        return self.options.vendors.domains | {self.authority(), f"localhost:{port}"}


class Vendor(Protocol):
    """One vendor, mounted under ``/<name>``."""

    @property
    def name(self) -> str: ...

    @property
    def books(self) -> VendorBooks: ...

    def routes(self) -> Iterable[web.RouteDef]:
        """Every route, its path with the prefix."""
        ...
