"""``sidecar explain`` and ``sidecar top-up`` beside a running sidecar, and without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest

from sidecar.clock import SystemEntropy
from tests.e2e.shell import answering, serving, write_config
from tests.e2e.typed import Typist, begun, counted, delivered, run, typed
from tests.unit.cli.commands import Ran
from tests.unit.cli.rows import write_ledger
from tests.world.market import Market, market
from tests.world.running import TOKEN

Run: TypeAlias = Callable[..., Ran]

__all__ = ["run", "typed"]  # fixtures


async def ask(place: Market, route: str) -> tuple[int, str]:
    """One call of an app: the status, and the payment's id."""
    async with aiohttp.ClientSession(headers=place.headers) as session:
        async with session.post(place.url(route, "/v1/paid"), json={"n": 1}) as response:
            await response.read()
            return response.status, response.headers.get("x-sidecar-payment-id", "")


async def test_refusal(typed: Typist) -> None:
    """What was refused last is named by its rule, with what to do; by its request's id as well."""
    async with market(typed.folder) as place:
        await typed(place, "freeze")
        status, _ = await ask(place, "seller")
        last = await typed(place, "explain")
        told = json.loads((await typed(place, "explain", "--json")).out)
        by_id = await typed(place, "explain", told["refusal"]["request_id"])
        unknown = await typed(place, "explain", "0123456789abcdef")

    assert (402, 0, 0) == (status, last.status, by_id.status)
    assert "rule        frozen" in last.out
    assert "Do: `sidecar unfreeze` ends it." in last.out
    assert last.out == by_id.out
    assert ("frozen", "seller", 402) == (
        told["rule"]["rule"],
        told["refusal"]["route"],
        told["refusal"]["status"],
    )
    assert 2 == unknown.status
    assert "there is no payment 0123456789abcdef" in unknown.err


async def test_payment(typed: Typist) -> None:
    """A payment's life is told step by step, with each proof."""
    async with market(typed.folder) as place:
        _, payment_id = await ask(place, "seller")
        await delivered(place)
        ran = await typed(place, "explain", payment_id)
        last = await typed(place, "explain")
        told = json.loads((await typed(place, "explain", payment_id, "--json")).out)
        (settled,) = place.sandbox.books.settlements

    assert ["reserved", "authorized", "posted", "delivered"] == [
        step["event"] for step in told["history"]
    ]
    assert 0 == ran.status
    assert f"the seller's receipt says so, in transaction {settled.transaction}" in ran.out
    assert "0.01 USDC was set aside in the budget day; nothing was signed yet" in ran.out
    assert "all is well" in ran.out
    # Nothing was refused, so the newest payment is what there is to explain.
    assert (ran.out, "sidecar: nothing was refused since it started\n") == (
        last.out,
        last.err,
    )


def test_without_a_sidecar(tmp_path: Path, run: Run) -> None:
    """Where none runs, the ledger alone is asked, and that is said."""
    write_config(tmp_path)
    nothing = run("explain", "--admin", "127.0.0.1:1")
    (tmp_path / "state").mkdir(mode=0o700)
    write_ledger(tmp_path / "state" / "ledger.db", "0x" + "2b" * 32)
    newest = run("explain", "--admin", "127.0.0.1:1")
    first = run("explain", "pay_1")

    assert (0, "there is nothing to explain: no refusal, and no payment\n") == (
        nothing.status,
        nothing.out,
    )
    assert "no sidecar answers at http://127.0.0.1:1" in newest.err
    assert "the ledger alone is asked" in newest.err
    assert newest.out.startswith("pay_2: 0.01 USDC to 0x")
    assert "It is set aside and not signed" in newest.out
    assert (0, "") == (first.status, first.err)


def test_hostile_words(tmp_path: Path, run: Run) -> None:
    """What an app or a seller wrote does not steer the terminal, whoever remembered it."""
    refusal = {
        "at": "2026-11-21T00:00:00+00:00",
        "request_id": "r1\x1b[2J",
        "route": "seller",
        "path": "/v1\x9b31m",
        "status": 402,
        "decision": "denied",
        "rule": "unpayable",
        "detail": "nothing here can be paid: \x1b]0;owned\x07\u202e",
    }
    (tmp_path / "state").mkdir(mode=0o700)
    write_ledger(tmp_path / "state" / "ledger.db", "0x\x1b[31m")
    write_config(tmp_path)
    with answering(200, json.dumps({"version": "1", "refusals": [refusal]}).encode()) as address:
        last = run("explain", "--admin", address)
    payment = run("explain", "pay_1")

    assert (0, 0) == (last.status, payment.status)
    assert "nothing here can be paid: ?]0;owned??" in last.out
    assert "in transaction 0x?[31m" in payment.out
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(last.out + payment.out)


@pytest.mark.parametrize("said", [b'{"version": "1"}', b'{"refusals": "no"}', b'{"refusals": [1]}'])
def test_another_sidecar(tmp_path: Path, run: Run, said: bytes) -> None:
    """A sidecar that remembers no refusals is no fault."""
    write_config(tmp_path)
    with answering(200, said) as address:
        ran = run("explain", "--admin", address, "--json")

    assert (0, {}) == (ran.status, json.loads(ran.out))


async def test_top_up(typed: Typist) -> None:
    """One top-up is bought at once, and told with what there is now; an app then needs none."""
    async with market(typed.folder) as place:
        start = await begun(place)
        ran = await typed(place, "top-up", "venice")
        await delivered(place)
        as_json = await typed(place, "top-up", "venice", "--json")
        async with aiohttp.ClientSession(headers=place.headers) as session:
            call = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}
            url = place.url("venice", "/v1/chat/completions")
            async with session.post(url, json=call) as response:
                served = response.status
        _, settled, _ = await counted(place)
        payments = await place.payments()

    assert (0, 0) == start[:2]
    assert (0, "") == (ran.status, ran.err)
    newest, oldest = payments
    assert f"bought: 10.00 USDC of credit ({oldest.id})\nbalance: 10.0 usd\n" == ran.out
    told = json.loads(as_json.out)
    assert (newest.id, "20.0") == (told["bought"]["id"], told["balances"][0]["value"])
    assert (200, 2) == (served, settled)


async def test_top_up_refused(typed: Typist) -> None:
    """The route's rules hold: 3, with the rule; what is not for sale is 2."""
    async with market(typed.folder) as place:
        bought = await typed(place, "top-up", "nodit")
        await typed(place, "freeze")
        frozen = await typed(place, "top-up", "venice")
        as_json = await typed(place, "top-up", "venice", "--json")
        unknown = await typed(place, "top-up", "seller")
        endpoint = await typed(place, "top-up", "x402layer")
        _, settled, _ = await counted(place)

    assert (0, 1) == (bought.status, settled)
    assert (3, "") == (frozen.status, frozen.out)
    assert "sidecar: rule frozen: `sidecar unfreeze` ends it.\n" in frozen.err
    assert (3, "frozen") == (as_json.status, json.loads(as_json.out)["rule"])
    assert (2, 2) == (unknown.status, endpoint.status)
    assert "no route seller buys credit; those that do: venice" in unknown.err
    assert "name one as the account" in endpoint.err


async def test_top_up_of_an_endpoint(typed: Typist) -> None:
    """At a vendor with credit by the endpoint, the one that is named gets it."""
    async with market(typed.folder) as place:
        ran = await typed(place, "top-up", "x402layer", "--account", "weather-data")
        _, settled, _ = await counted(place)

    assert (0, 1) == (ran.status, settled), ran.err
    assert "credits" in ran.out


async def test_top_up_without_the_token(typed: Typist) -> None:
    """Whoever does not have the admin's token buys nothing: not an app, and not another's state."""
    other = typed.folder / "other"
    other.mkdir(mode=0o700)
    (other / "admin.token").write_text(f"sk-sidecar-{SystemEntropy().token(16).hex()}")
    (other / "admin.token").chmod(0o600)
    async with market(typed.folder) as place:
        ran = await typed(place, "top-up", "venice", "--state-dir", str(other))
        url = f"http://127.0.0.1:{place.service.admin_port}/top-up/venice"
        statuses = []
        async with aiohttp.ClientSession() as session:
            for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
                async with session.post(url, headers=headers) as response:
                    statuses.append(response.status)
            async with session.get(url) as response:
                statuses.append(response.status)
        presented, settled, _ = await counted(place)

    assert (2, [401, 401, 405]) == (ran.status, statuses)
    assert "this wants the token in admin.token of the state folder" in ran.err
    assert (0, 0) == (presented, settled)


def test_top_up_of_nothing(tmp_path: Path, run: Run) -> None:
    """Where no sidecar runs, or none was ever started here, nothing is bought, and it says so."""
    write_config(tmp_path)
    never = run("top-up", "seller")
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "admin.token").write_text("sk-sidecar-x")
    (tmp_path / "state" / "admin.token").chmod(0o600)
    stopped = run("top-up", "seller", "--admin", "127.0.0.1:1")

    assert (2, 7) == (never.status, stopped.status)
    assert "admin.token: there is no such file" in never.err
    assert "no sidecar answers at http://127.0.0.1:1; start one with: sidecar run" in stopped.err


@pytest.mark.parametrize(
    ("answered", "document", "status"),
    [
        (202, {"in_doubt": {}, "error": "top-up p1 is in doubt"}, 8),
        (409, {"rule": "budget", "error": "no room"}, 3),
        (401, {"error": "this wants the token"}, 2),
        (404, {"error": "no credit there"}, 2),
        (503, {"error": "the disk is full"}, 7),
        (200, {"something": "else"}, 5),
        (418, {}, 5),
    ],
)
def test_top_up_statuses(
    tmp_path: Path, run: Run, answered: int, document: dict[str, Any], status: int
) -> None:
    """Each answer to a top-up has its exit status, and only a purchase is a success."""
    write_config(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "admin.token").write_text("sk-sidecar-x")
    (tmp_path / "state" / "admin.token").chmod(0o600)

    def answer(path: str, _: bytes) -> tuple[int, bytes]:
        assert "/top-up/seller" == path
        return answered, json.dumps(document).encode()

    with serving(answer) as address:
        ran = run("top-up", "seller", "--admin", address)

    assert (status, "") == (ran.status, ran.out)
    assert str(document.get("error", "")) in ran.err
