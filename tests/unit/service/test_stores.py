"""Who shares the ledger with whom."""

from __future__ import annotations

import pytest

from sidecar.service.stores import are_shared
from tests.unit.config.configs import changed, parsed

POSTGRES = {"postgres": {"env": "BOOKS"}}


@pytest.mark.parametrize(
    ("key", "told", "shared"),
    [("workers", 1, False), ("workers", 2, True), ("ledger", POSTGRES, True)],
    ids=["one process", "two workers", "other machines"],
)
def test_are_shared(key: str, told: object, shared: bool) -> None:
    """An app's retry may come elsewhere where several workers serve, or other machines may."""
    assert shared is are_shared(parsed(changed(key, to=told)))
