"""The signer's answers: what is checked, in which order, and what no sequence of orders gets."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.chains import usdc_on
from sidecar.errors import LedgerError
from sidecar.money import Usdc
from sidecar.signer.books import Books, Entry
from sidecar.signer.frame import BYTES_MAX
from sidecar.signer.rules import Cap, Rules, read_rules
from sidecar.signer.signer import Signer
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.solana import SolanaWallet
from tests.world.fakes import NOON, FakeClock
from tests.world.signer_orders import ADDRESS, KEY, PAYEE, SEED, THIEF, signatures
from tests.world.signer_process import rules_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = read_rules(json.dumps(rules_of(Path("/"), sign_in_domains=["api.seller.example"])).encode())


@dataclass
class Memory:
    """A journal that lives as long as the test, and can be told to fail."""

    entries: list[Entry] = field(default_factory=list)
    fails: bool = False

    def append(self, entry: Entry) -> None:
        if self.fails:
            raise LedgerError("no disk")
        self.entries.append(entry)


class Desk:
    """A signer, its clock and its journal; it can be started anew."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules, self.clock, self.journal = rules, FakeClock(), Memory()
        self.restart()

    def restart(self) -> None:
        books = Books(self.rules.caps, self.journal.entries)
        self.signer = Signer(self.rules, EvmWallet(KEY), books, self.journal, self.clock)

    def ask(self, question: object) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.signer.answer(json.dumps(question).encode()))
        return said

    def order(self, number: int, value: int = 10_000, life_s: int = 120) -> dict[str, Any]:
        """A transfer that is drawn up now."""
        nonce, expires_at = f"0x{number:064x}", int(self.clock.now().timestamp()) + life_s
        fields = {
            "from": ADDRESS,
            "to": PAYEE,
            "value": str(value),
            "validAfter": "0",
            "validBefore": str(expires_at),
            "nonce": nonce,
            "asset": usdc_on("eip155:8453").address,
        }
        said = {
            "network": "eip155:8453",
            "identity": nonce,
            "expires_at": expires_at,
            "fields": fields,
        }
        return {"method": "sign", "authorization": said}

    def rule(self, question: object) -> str:
        """The rule that refuses; empty: none does."""
        answer = self.ask(question)
        return str(answer["refused"]["rule"]) if "refused" in answer else ""


def test_nonces() -> None:
    """It tells what its key's nonces are derived from; a Solana key's payments have none."""
    desk = Desk()
    solana = replace(RULES, kind="solana")
    other = Signer(solana, SolanaWallet(SEED, {}), Books((), ()), desk.journal, desk.clock)
    question = {"method": "nonces"}

    assert {"result": EvmWallet(KEY).nonce_secret().reveal()} == desk.ask(question)
    assert [] == desk.journal.entries
    assert "refused" in json.loads(other.answer(json.dumps(question).encode()))


def test_two_for_one_purchase() -> None:
    """Of two payments under one nonce, drawn up by two proxies, it signs the first alone."""
    desk = Desk()
    first = desk.order(1)
    desk.clock.advance(30)

    assert "" == desk.rule(first)
    assert "identity" == desk.rule({**desk.order(1), "method": "admit"})
    assert 1 == len(desk.journal.entries)


def test_written_first() -> None:
    """What cannot be written down is not signed, and not counted once it can be."""
    desk = Desk()
    desk.journal.fails = True

    assert "journal" == desk.rule(desk.order(1))
    desk.journal.fails = False
    assert "" == desk.rule(desk.order(1))
    assert 1 == len(desk.journal.entries)


def test_admitted() -> None:
    """What is admitted is written down and counted once, and holds no signature; then it signs."""
    desk = Desk(replace(RULES, caps=(Cap(HOUR, Usdc(10_000), 9), Cap(DAY, Usdc(10**9), 9))))
    order, other = desk.order(1), desk.order(2)
    answer = desk.ask({**order, "method": "admit"})

    assert {"result": {}} == answer
    assert "window" == desk.rule(other)
    assert "window" == desk.rule({**other, "method": "admit"})
    desk.clock.advance(600)
    assert {"result": {}} == desk.ask({**order, "method": "admit"})
    assert 1 == signatures(desk.ask(order))
    assert 1 == len(desk.journal.entries)


@pytest.mark.parametrize(
    ("life_s", "rule"), [(120, ""), (121, "validity"), (50, ""), (49, "validity")]
)
def test_validity(life_s: int, rule: str) -> None:
    """An order lives two minutes at most, and one that is drawn up for a minute may be a while."""
    desk = Desk()

    assert rule == desk.rule(desk.order(1, life_s=life_s))


def test_expired_again() -> None:
    """What was signed is signed again after it expired: it may have been paid, and not served."""
    desk = Desk()
    order = desk.order(1)
    first = desk.ask(order)
    desk.clock.advance(600)

    assert first == desk.ask(order)
    assert "validity" == desk.rule(desk.order(2, life_s=-600))
    assert 1 == len(desk.journal.entries)


def test_long_words() -> None:
    """A refusal that repeats what was asked fits a frame, however long that was."""
    desk = Desk()
    order = desk.order(1)
    order["authorization"]["fields"]["from"] = "\u00e9" * 30_000
    question = json.dumps(order, ensure_ascii=False).encode()

    assert len(question) < BYTES_MAX
    assert len(desk.signer.answer(question)) < 4_096


def test_tighter_rules() -> None:
    """After a restart with a tighter cap, not even what was signed before is signed again."""
    desk = Desk()
    order = desk.order(1)
    assert "" == desk.rule(order)
    desk.rules = replace(RULES, max_payment=Usdc(9_999))
    desk.restart()

    assert "max_payment" == desk.rule(order)


def test_permits_are_an_option() -> None:
    """Where the rules do not speak of Permits, none is signed."""
    desk = Desk()
    order = desk.order(7)
    order["authorization"]["fields"]["primaryType"] = "Permit"
    order["authorization"]["identity"] = f"permit:{ADDRESS}:{PAYEE}:7"

    assert "scheme" == desk.rule(order)


def test_anyone() -> None:
    """Where the rules say anyone, an order that names a stranger is signed."""
    desk = Desk(replace(RULES, pay_to=None))
    order = desk.order(1)
    order["authorization"]["fields"]["to"] = THIEF

    assert 1 == signatures(desk.ask(order))


def test_sliding() -> None:
    """A window gives back what left it, and no more: an hour after it was signed."""
    desk = Desk(replace(RULES, caps=(Cap(HOUR, Usdc(20_000), 9), Cap(DAY, Usdc(10**9), 9))))
    assert ["", "", "window"] == [desk.rule(desk.order(number)) for number in (1, 2, 3)]
    desk.clock.advance(3_599)
    assert "window" == desk.rule(desk.order(4))
    desk.clock.advance(1)

    assert ["", "", "window"] == [desk.rule(desk.order(number)) for number in (5, 6, 7)]


def test_clock_set_back() -> None:
    """A clock that is set back opens no window."""
    desk = Desk(replace(RULES, caps=(Cap(HOUR, Usdc(10_000), 9), Cap(DAY, Usdc(10**9), 9))))
    assert "" == desk.rule(desk.order(1))
    desk.clock.set_wall(NOON - timedelta(days=3))

    assert "window" == desk.rule(desk.order(2))


def test_identity_after_a_day() -> None:
    """An identity that is used again after a day is counted again, and known by its new order."""
    desk = Desk()
    desk.ask(desk.order(1))
    desk.clock.advance(86_400)
    desk.ask(desk.order(2))
    again = desk.order(1)
    assert "" == desk.rule(again)
    desk.restart()
    desk.ask(desk.order(3))

    assert "" == desk.rule(again)
    assert "identity" == desk.rule(desk.order(1, value=1))
    assert 4 == len(desk.journal.entries)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("order", "again", "restart", "wait")),
        st.integers(1, 60_000),
        st.integers(0, 5_000),
    ),
    max_size=60,
)


@given(STEPS)
def test_no_span_holds_more(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is asked, whenever, through restarts: no hour and no day holds more than its cap."""
    caps = Cap(HOUR, Usdc(100_000), 4), Cap(DAY, Usdc(250_000), 12)
    desk = Desk(replace(RULES, caps=caps))
    signed: dict[str, tuple[datetime, int]] = {}
    asked = [desk.order(0)]
    for number, (step, value, wait_s) in enumerate(steps, 1):
        if step == "restart":
            desk.restart()
            continue
        if step == "wait":
            desk.clock.advance(wait_s)
            continue
        if step == "order":
            asked.append(desk.order(number, value))
        question = asked[-1 if step == "order" else value % len(asked)]
        said = question["authorization"]
        if desk.rule(question) == "":
            when = desk.clock.now(), int(said["fields"]["value"])
            signed.setdefault(said["identity"], when)
    for cap in caps:
        for start, _ in signed.values():
            within = [value for at, value in signed.values() if start <= at < start + cap.span]

            assert sum(within) <= cap.amount.atomic
            assert len(within) <= cap.payments


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = st.sampled_from(
    (
        *("method", "authorization", "network", "identity", "expires_at", "fields", "from", "to"),
        *("value", "validAfter", "validBefore", "nonce", "asset", "primaryType"),
    )
)


@given(PLACES, JSON)
def test_any_json_anywhere(name: str, value: object) -> None:
    """Any value in any place of an order gets an answer, and a signature only if it was good."""
    desk = Desk()
    question = copy.deepcopy(desk.order(1))
    said = question["authorization"]
    where = question if name in question else said if name in said else said["fields"]
    changed = where.get(name) != value
    where[name] = value
    answer = desk.ask(question)

    assert 0 == signatures(answer) or not changed
    assert len(desk.journal.entries) == signatures(answer)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Bytes that are no request are refused."""
    answer = json.loads(Desk().signer.answer(data))

    assert "request" == answer["refused"]["rule"]
