"""A world whose seller sells credit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.world.shop import Process, World
from tests.world.stores import Store
from tests.world.vendor import App, Vendor, prepaid_app


class Town(World):
    """A vendor, a clock and a ledger that outlive any process."""

    def __init__(self, store: Store | Path, seed: str = "") -> None:
        super().__init__(store, seed)
        self.vendor = Vendor(self.clock)
        self.upstream = self.vendor

    def app(self, process: Process, **changes: Any) -> App:
        """An app in front of this process, as ``prepaid_app`` makes it."""
        return prepaid_app(process, process.books, process.upstream, **changes)
