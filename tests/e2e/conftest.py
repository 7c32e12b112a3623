"""The world of the end-to-end tests: one chain and its sellers for all, a sidecar for each test.

Everything here is real: the sidecar's own process, the official SDK as seller and facilitator,
and a chain on which the money is counted. Nothing is skipped where something is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest
from eth_account import Account

from tests.world.chain import Anvil
from tests.world.sellers import PRICE, Facilitator, Protocol, Seller
from tests.world.sidecar_process import SidecarProcess
from tests.world.stores import PostgresStore, SqliteStore, Store
from tests.world.witnesses import Scene

FUNDS = 100 * PRICE

StartScene: TypeAlias = Callable[[Seller], Scene]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """The books that the replicas of one test share."""
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "ledger.db")
    return PostgresStore(request.getfixturevalue("database"))


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of the world write."""
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="session")
def chain(logs: Path) -> Iterator[Anvil]:
    """A chain with USDC on it. Its time is ours: nobody ages it."""
    with Anvil(logs) as anvil:
        anvil.setup_usdc()
        yield anvil


@pytest.fixture(scope="session")
def facilitator(logs: Path, chain: Anvil) -> Iterator[Facilitator]:
    """The official one, on that chain."""
    with Facilitator(logs, chain) as running:
        yield running


@pytest.fixture(scope="session")
def v2_seller(logs: Path, facilitator: Facilitator) -> Iterator[Seller]:
    """The official SDK of x402 v2."""
    with Seller(logs, facilitator, Protocol.V2, new_address()) as running:
        yield running


@pytest.fixture(scope="session")
def v1_seller(logs: Path, facilitator: Facilitator) -> Iterator[Seller]:
    """The official SDK of x402 v1."""
    with Seller(logs, facilitator, Protocol.V1, new_address()) as running:
        yield running


@pytest.fixture(scope="session")
def lower_case_seller(logs: Path, facilitator: Facilitator) -> Iterator[Seller]:
    """A v2 seller that writes its address in lower case, as many do."""
    with Seller(logs, facilitator, Protocol.V2, new_address().lower()) as running:
        yield running


@pytest.fixture(scope="session")
def fat_seller(logs: Path, facilitator: Facilitator) -> Iterator[Seller]:
    """A v2 seller whose challenge header is about 30 KB long."""
    with Seller(logs, facilitator, Protocol.V2, new_address(), "--fat") as running:
        yield running


@pytest.fixture
def start(chain: Anvil, tmp_path: Path) -> Iterator[StartScene]:
    """Starts a sidecar in front of a seller, with money in its wallet."""
    with ExitStack() as stack:

        def start_scene(seller: Seller) -> Scene:
            sidecar = stack.enter_context(SidecarProcess(tmp_path, seller.url, chain.url))
            chain.fund(sidecar.payer, FUNDS)
            return Scene(chain, seller, sidecar)

        yield start_scene


def new_address() -> str:
    """An account that nobody has used."""
    address: str = Account.create().address
    return address
