"""`sidecar pins`, `freeze` and `unfreeze`, on a ledger file that is in use or not."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from pathlib import Path

from sidecar.ledger import sqlite_desk
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.refusal import Denied
from tests.unit.cli.commands import Command, write_config
from tests.world.fakes import NOON
from tests.world.intents import intent, reserved

SINCE = r"[0-9-]{10} [0-9:]{8} UTC"


def made(folder: Path) -> Path:
    """A config, with two pins of a route in its ledger."""

    async def pin() -> None:
        ledger = await SqliteLedger.open(folder / "state" / "ledger.db", "instance")
        await reserved(ledger, "p1", pin_place="")
        await reserved(ledger, "p2", pin_place="weather", pay_to="0xother")
        await ledger.close()

    asyncio.run(pin())
    return write_config(folder, "hosts", to=[])


def test_pins(sidecar: Command, tmp_path: Path) -> None:
    """Pins are listed as a table off a terminal, and as JSON."""
    path = made(tmp_path)
    table, as_json = sidecar("pins", "--config", path), sidecar("pins", "--config", path, "--json")

    assert (
        "ROUTE\tPURPOSE\tNETWORK\tPLACE\tPAY_TO\tPINNED_AT\n"
        "venice\trequest\teip155:84532\t-\t0xseller\t2026-11-21T12:00:00.000Z\n"
        "venice\trequest\teip155:84532\tweather\t0xother\t2026-11-21T12:00:00.000Z\n"
    ) == table.out
    assert {
        "route": "venice",
        "purpose": "request",
        "network": "eip155:84532",
        "place": "weather",
        "pay_to": "0xother",
        "pinned_at": "2026-11-21T12:00:00.000Z",
    } == json.loads(as_json.out)[1]


def test_forget(sidecar: Command, tmp_path: Path) -> None:
    """What is forgotten is shown once, and is gone."""
    path = made(tmp_path)
    forgotten = sidecar("pins", "--config", path, "--json", "forget", "venice")
    left = sidecar("pins", "--config", path, "--json")

    assert ["0xseller", "0xother"] == [pin["pay_to"] for pin in json.loads(forgotten.out)]
    assert (0, []) == (left.status, json.loads(left.out))


def test_forget_nothing(sidecar: Command, tmp_path: Path) -> None:
    """A route without pins is a mistake, most often of spelling; those with pins are named."""
    ran = sidecar("pins", "--config", made(tmp_path), "forget", "venise\x1b")

    assert (2, "", "pins: route venise? has none; those that have: venice\n") == (
        ran.status,
        ran.out,
        ran.err,
    )


def test_no_ledger(sidecar: Command, tmp_path: Path) -> None:
    """Without a ledger there are no pins, and nothing is frozen."""
    path = write_config(tmp_path, "hosts", to=[])
    pins, unfreeze = sidecar("pins", "--config", path), sidecar("unfreeze", "--config", path)

    assert (7, 7) == (pins.status, unfreeze.status)
    assert "there is none yet; the first run makes it" in pins.err
    assert "there is none yet, so nothing is frozen" in unfreeze.err
    assert not (tmp_path / "state").exists()


def test_freeze(sidecar: Command, tmp_path: Path) -> None:
    """A freeze says since when, also when it was one already; so does its end."""
    path = write_config(tmp_path, "hosts", to=[])
    first, second = sidecar("freeze", "--config", path), sidecar("freeze", "--config", path)
    thawed, again = sidecar("unfreeze", "--config", path), sidecar("unfreeze", "--config", path)

    assert [0] * 4 == [ran.status for ran in (first, second, thawed, again)]
    assert first.out == second.out
    assert re.match(f"frozen since {SINCE}: no payment is signed", first.out)
    assert re.match(f"payments are signed again; it was frozen since {SINCE}", thawed.out)
    assert "it was not frozen\n" == again.out


def test_freeze_makes_the_ledger(sidecar: Command, tmp_path: Path) -> None:
    """Before the first run a freeze makes the ledger, for its user only, and the run is frozen."""
    path = write_config(tmp_path, "hosts", to=[])
    sidecar("freeze", "--config", path)
    file = tmp_path / "state" / "ledger.db"

    async def start() -> object:
        ledger = await SqliteLedger.open(file, "first")
        answer = await ledger.reserve(intent("p1"), NOON)
        await ledger.close()
        return answer

    answer = asyncio.run(start())

    assert isinstance(answer, Denied)
    assert "frozen" == answer.rule
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


async def test_beside_a_running_sidecar(tmp_path: Path) -> None:
    """What a person switches or forgets holds from the next payment of a running process on."""
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, "running")
    await reserved(ledger, "p1", pin_place="")

    since = sqlite_desk.freeze(path, NOON)
    frozen = await ledger.reserve(intent("p2", pin_place=""), NOON)
    thawed = sqlite_desk.unfreeze(path)
    forgotten = sqlite_desk.forget_pins(path, "venice")
    moved = await reserved(ledger, "p3", pin_place="", pay_to="0xmoved")
    pinned = sqlite_desk.pins(path)
    await ledger.close()

    assert isinstance(frozen, Denied)
    assert (NOON, "frozen", NOON) == (since, frozen.rule, thawed)
    assert (["0xseller"], ["0xmoved"]) == (
        [pin.pay_to for pin in forgotten],
        [pin.pay_to for pin in pinned],
    )
    assert "0xmoved" == moved.pay_to
