"""Leases that look after themselves, in a sidecar whose config asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.cli.desk import open_desk
from sidecar.clock import SystemClock
from sidecar.config.ledger import LEASED_NAME
from sidecar.config.model import Config, PostgresUrl, SecretKind, SecretRef
from sidecar.config.secrets import open_server
from sidecar.errors import LedgerError
from sidecar.ledger import Ledger
from sidecar.ledger.leased import LeasedLedger
from sidecar.ledger.model import Payment, PaymentState, Proof, Purchase
from sidecar.ledger.postgres import PostgresLedger
from sidecar.ledger.postgres_desk import PostgresDesk
from sidecar.ledger.resolutions import Resolution
from sidecar.ledger.slices import LeaseTerms
from sidecar.money import Usdc
from sidecar.service import wiring
from sidecar.service.secrets import Opened
from sidecar.service.stores import open_ledger
from sidecar.wallets.evm import EvmWallet
from tests.unit.cli.commands import Command, write_config
from tests.unit.config.configs import changed, parsed
from tests.world.fakes import NOON
from tests.world.intents import HOUR, SECOND, authorization, authorized, intent, reserved
from tests.world.replicas_on_slices import CAP

VARIABLE = SecretRef(SecretKind.ENV, "BOOKS")
TERMS = LeaseTerms(Usdc(10), 60)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Come back as soon as it is."""
    for _ in range(1_000):
        if await true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


def config_in(folder: Path, terms: LeaseTerms | None) -> Config:
    ledger = PostgresUrl(VARIABLE, leases=terms)
    return replace(parsed(changed("mode", to="live")), state_dir=folder, ledger=ledger)


async def opened(config: Config, url: str, instance: str) -> Ledger:
    """The ledger, as the service opens it."""
    assert isinstance(config.ledger, PostgresUrl)
    server = open_server(config.ledger, {"BOOKS": url})
    secrets = Opened({}, {}, {}, None, None, "", (), {}, {}, server)
    return await open_ledger(config, secrets, instance, lambda sentence: None)


async def leased(url: str, path: Path, instance: str, terms: LeaseTerms) -> LeasedLedger:
    """A replica that keeps its leases by itself."""
    centre = await PostgresLedger.open(url, instance)
    ledger = await LeasedLedger.open(
        centre, centre.slices, path, instance, terms, SystemClock(), lambda sentence: None
    )
    ledger.begin_keeping(centre.switched)
    return ledger


async def test_idle_slice_goes_back_by_itself(database: str, tmp_path: Path) -> None:
    """Nobody has to ask for it: what is not used is given back while the sidecar runs."""
    ledger = await leased(database, tmp_path / "a.db", "a", LeaseTerms(Usdc(10), 0.6))
    watcher = await PostgresLedger.open(database, "watcher")

    async def reserved_there() -> int:
        (use,) = await watcher.budgets([CAP], NOON)
        return use.reserved.atomic

    await reserved(ledger, "p1", amount=3, budgets=(CAP,))
    assert 3 < await reserved_there()
    await until(lambda: _is(reserved_there, 3))
    await ledger.close()
    await watcher.close()


async def _is(ask: Callable[[], Awaitable[int]], expected: int) -> bool:
    return expected == await ask()


async def test_freeze_is_heard(database: str, tmp_path: Path) -> None:
    """A freeze reaches a replica with a long lease without its asking: the database rings."""
    ledger = await leased(database, tmp_path / "a.db", "a", LeaseTerms(Usdc(10), 3_600))
    other = await PostgresLedger.open(database, "other")
    await reserved(ledger, "p1", budgets=(CAP,))

    async def is_frozen() -> bool:
        # It rings each time; the first may be before anybody listens.
        await other.freeze(NOON)
        return await ledger.frozen_since() is not None

    await until(is_frozen)
    assert not isinstance(await ledger.reserve(intent("p2", budgets=(CAP,)), NOON), Payment)
    await ledger.close()
    await other.close()


async def test_off_by_default(database: str, tmp_path: Path) -> None:
    """Whoever does not ask for leases pays through the database alone, and has no file."""
    ledger = await opened(config_in(tmp_path, None), database, "a")

    assert isinstance(ledger, PostgresLedger)
    assert not (tmp_path / LEASED_NAME).exists()
    await ledger.close()


async def test_switched_on_and_off(database: str, tmp_path: Path) -> None:
    """A sidecar with leases spends from a file; switched off, it still settles what is in it."""
    ledger = await opened(config_in(tmp_path, TERMS), database, "a")
    assert isinstance(ledger, LeasedLedger)
    await authorized(ledger, "p1", budgets=(CAP,))
    await ledger.close()
    after = await opened(config_in(tmp_path, None), database, "b")

    assert isinstance(after, LeasedLedger)
    assert ["p1"] == [payment.id for payment in await after.in_doubt()]
    await reserved(after, "p2", budgets=(CAP,))
    assert () == tuple(each for each in await after.held() if each.free)
    await after.close()


async def test_rehearsals_take_no_slices(database: str, tmp_path: Path) -> None:
    """Shadow mode books in the database alone."""
    config = replace(config_in(tmp_path, TERMS), mode="shadow")
    ledger = await opened(config, database, "a")

    assert isinstance(ledger, PostgresLedger)
    await ledger.close()


async def test_file_of_something_else(database: str, tmp_path: Path) -> None:
    """A file that is no ledger keeps the sidecar from starting, and nothing stays open."""
    (tmp_path / LEASED_NAME).write_text("notes")

    with pytest.raises(LedgerError, match="not an SQLite database"):
        await opened(config_in(tmp_path, TERMS), database, "a")


async def test_desk(database: str, tmp_path: Path) -> None:
    """A person finds, and settles, what this machine has paid beside what is in the database."""
    config = config_in(tmp_path, TERMS)
    ledger = await opened(config, database, "a")
    here = await authorized(ledger, "here", budgets=(CAP,))
    await ledger.reserve(intent("there", explicit=True, budgets=(CAP,)), NOON + SECOND)
    await ledger.authorize("there", authorization("there"), NOON + SECOND)
    await ledger.close()
    desk = open_desk(config, {"BOOKS": database})
    said = Proof("person", "0xmoved")

    assert ["here", "there"] == [payment.id for payment in desk.in_doubt()]
    assert ["there", "here"] == [payment.id for payment in desk.payments(None, 9)]
    assert ["there"] == [payment.id for payment in desk.payments(None, 1)]
    assert ["here", "there"] == [payment.id for payment in desk.made_by("a")]
    for payment_id in ("here", "there"):
        assert ["reserved", "authorized"] == [step.kind for step in desk.history(payment_id)]
        settled = desk.resolve(payment_id, Resolution.POSTED, said, "ann", NOON)
        assert isinstance(settled, Payment)
        found = desk.find(payment_id)
        assert found is not None
        assert (PaymentState.POSTED, False) == (found.payment.state, found.held)
    assert {"here": "ann", "there": "ann"} == desk.resolvers(desk.payments(None, 9))
    assert "here" == here.id


async def test_desk_of_all(database: str, tmp_path: Path) -> None:
    """What holds for every machine a person changes, and is told, at the database."""
    config = config_in(tmp_path, TERMS)
    ledger = await opened(config, database, "a")
    await reserved(ledger, "p1", pin_place="", budgets=(CAP,))
    await ledger.reserve(intent("p2", budgets=(CAP,), ask_until=NOON + HOUR), NOON)
    desk = open_desk(config, {"BOOKS": database})
    centre = PostgresDesk(database, "sidecar")

    assert (centre.place, True) == (desk.place, desk.exists())
    desk.check_writable()
    assert centre.pins() == desk.pins() != ()
    assert centre.asked() == desk.asked() != ()
    assert centre.budgets([CAP], NOON) == desk.budgets([CAP], NOON)
    assert desk.refusal(intent("p3", amount=101, budgets=(CAP,)), NOON) is not None
    assert isinstance(desk.decide("p2", "ann", NOON, approve=True), Payment)
    assert desk.newest_top_up(Purchase("account", explicit=False)) is None
    assert () == desk.top_ups()
    assert 1 == len(desk.forget_pins("venice"))
    assert NOON == desk.freeze(NOON) == desk.frozen_since() == desk.unfreeze()
    await ledger.close()


def test_desk_without_leases(database: str, tmp_path: Path) -> None:
    """Where nothing was ever leased, a person comes to the database alone."""
    desk = open_desk(config_in(tmp_path, TERMS), {"BOOKS": database})

    assert isinstance(desk, PostgresDesk)


def test_outflows_are_not_watched(tmp_path: Path) -> None:
    """Where each machine has payments of its own, what others paid is not told of as foreign."""
    wallet = EvmWallet(bytes(31) + b"\x07")
    secrets = Opened({"main": wallet}, {}, {}, None, None, "", (), {}, {})
    alone, shared = config_in(tmp_path, None), config_in(tmp_path, TERMS)

    assert 1 <= len(wiring.spenders(alone, secrets))
    assert () == wiring.spenders(shared, secrets)


def test_reconcile(
    database: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`sidecar reconcile` says that a machine with leases has its own payments only."""
    monkeypatch.setenv("BOOKS", database)
    path = write_config(tmp_path, "ledger", to={"postgres": {"env": "BOOKS", "leases": {}}})
    path.write_text(path.read_text().replace("https://rpc.example.com", "http://127.0.0.1:9"))
    sidecar = Command(capsys)
    sidecar("migrate", "--config", path)

    assert "those of others are told as foreign" in sidecar("reconcile", "--config", path).err
