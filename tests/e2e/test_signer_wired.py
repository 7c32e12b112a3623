"""Stock client -> sidecar -> signers in processes of their own -> vendor: no key in the sidecar.

Payments are counted at the vendor, signatures in the signers' journals. What a signer's death,
silence or refusal does to a payment is shown by killing, stopping and forbidding it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from sidecar.ledger import Ledger
from sidecar.ledger.model import PaymentState
from sidecar.money import Usdc
from sidecar.payments.events import PaymentInDoubt
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.vendors.libertai_options import SERVER_WALLET
from sidecar.service import Ports
from tests.world.running import TOKEN
from tests.world.signed_market import WIDE, SignedMarket, signed_market
from tests.world.signer_process import SignerProcess, write_files

CALL: dict[str, Any] = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}


def app(place: SignedMarket, route: str) -> openai.AsyncOpenAI:
    """The stock client, pointed at a route."""
    return openai.AsyncOpenAI(base_url=place.url(route), api_key=TOKEN, max_retries=0, timeout=60)


async def heard(place: SignedMarket, route: str, **changed: Any) -> tuple[int, Any]:
    """The status of one call, and what the client makes of it."""
    async with app(place, route) as client:
        try:
            answer = await client.chat.completions.create(**{**CALL, **changed})
        except openai.APIStatusError as refusal:
            return refusal.status_code, refusal.body
    return 200, answer.choices[0].message.content


async def states(place: SignedMarket) -> list[PaymentState]:
    """What became of every payment, the newest first."""
    return [payment.state for payment in await place.payments()]


@pytest.mark.parametrize(("route", "wallet"), [("seller", "main"), ("seller-sol", "sol")])
async def test_per_request(tmp_path: Path, route: str, wallet: str) -> None:
    """Each call is paid for by itself, on EVM and on Solana, by one authorization of the signer."""
    options = SandboxOptions(solana=route == "seller-sol", evm=route == "seller")
    async with signed_market(tmp_path, options) as place:
        answers = [await heard(place, route, user=str(number)) for number in range(3)]

        assert [200] * 3 == [status for status, _ in answers], answers
        assert [PaymentState.POSTED] * 3 == await states(place)
        assert 3 == place.journaled(wallet)
        assert 3 == len(place.sandbox.books.settlements)


@pytest.mark.parametrize(("route", "wallet"), [("venice", "main"), ("venice-sol", "sol")])
async def test_venice(tmp_path: Path, route: str, wallet: str) -> None:
    """Venice is signed in to and topped up once: the signer signs sign-ins of its rules' domain."""
    async with signed_market(tmp_path) as place:
        answers = [await heard(place, route) for _ in range(2)]
        address = place.service._opened.wallets[wallet].address
        account = place.sandbox.vendors.venice.account(address)

        assert [200, 200] == [status for status, _ in answers], answers
        assert Usdc(10_000_000) == account.paid
        assert 1 == place.journaled(wallet)
        assert 2 == account.served


async def test_bare_layout(tmp_path: Path) -> None:
    """x402layer takes a Solana transaction without a memo, drawn up here and signed there."""
    async with signed_market(tmp_path) as place:
        url = place.url("x402layer-sol", "/e/solana-pack/today")
        async with aiohttp.ClientSession(headers=place.headers) as session:
            async with session.post(url, json={}) as response:
                status = response.status

        assert 200 == status
        assert 1 == place.journaled("sol")


async def test_permits(tmp_path: Path) -> None:
    """LibertAI's Permits follow one another, each signed where the rules allow Permits."""
    async with signed_market(tmp_path, permits=True, pay_to=[SERVER_WALLET]) as place:
        call = {"model": "m-permit", "max_tokens": 20}
        answers = [await heard(place, "libertai", **call) for _ in range(2)]

        assert [200, 200] == [status for status, _ in answers], answers
        assert 2 == place.journaled("main")


async def test_refused(tmp_path: Path) -> None:
    """A rule of the signer is a 402 that names it; nothing is signed, in doubt or presented."""
    async with signed_market(tmp_path) as place:
        status, error = await heard(place, "libertai", model="m-permit", max_tokens=20)

        assert (402, "sidecar_signer_refused") == (status, error["code"])
        assert "the signer refuses (scheme: this signer does not sign Permits)" == error["message"]
        assert [PaymentState.VOIDED] == await states(place)
        assert 0 == place.journaled("main")
        denials = 'sidecar_policy_denials_total{route="libertai",rule="signer_refused"}'
        assert 1.0 == (await place.metrics())[denials]


async def test_sign_in_refused(tmp_path: Path) -> None:
    """A vendor outside the signer's domains is not signed in to: a 402 that names the rule."""
    async with signed_market(tmp_path, sign_in_domains=[]) as place:
        status, error = await heard(place, "venice")

        assert (402, "sidecar_signer_refused") == (status, error["code"])
        assert "domain" in error["message"]
        assert [] == await states(place)


async def test_window(tmp_path: Path) -> None:
    """The signer's window, reached under load, refuses the rest: none of them is in doubt."""
    cap = {**WIDE, "amount": "0.05 USDC"}
    async with signed_market(tmp_path, per_hour=cap) as place:
        calls = (heard(place, "seller", user=str(number)) for number in range(12))
        answers = await asyncio.gather(*calls)
        statuses = sorted(status for status, _ in answers)

        assert [200] * 5 + [402] * 7 == statuses
        assert 5 == place.journaled("main") == len(place.sandbox.books.settlements)
        assert {PaymentState.POSTED, PaymentState.VOIDED} == set(await states(place))
        assert [] == [event for event in place.events if isinstance(event, PaymentInDoubt)]


async def test_killed_and_restarted(tmp_path: Path) -> None:
    """Without its signer nothing is paid, 503; unpaid traffic flows; once it is back, all is."""
    async with signed_market(tmp_path) as place:
        first, _ = await heard(place, "seller", user="1")
        place.signers["main"].kill()
        second, error = await heard(place, "seller", user="2")
        unpaid, _ = await heard(place, "venice-key")

        assert (200, 503, 200) == (first, second, unpaid)
        assert "sidecar_signer" == error["code"]
        assert [PaymentState.VOIDED, PaymentState.POSTED] == await states(place)
        place.restart("main")
        third, _ = await heard(place, "seller", user="2")

        assert 200 == third
        assert 2 == place.journaled("main") == len(place.sandbox.books.settlements)


class DeadlyLedger:
    """The ledger; a signer that it was given is killed by the next writing down."""

    def __init__(self) -> None:
        self.victim: SignerProcess | None = None
        self._ledger: Any = None

    def around(self, ledger: Ledger) -> Any:
        """Stand around this one."""
        self._ledger = ledger
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def authorize(self, *said: Any) -> Any:
        denied = await self._ledger.authorize(*said)
        if self.victim is not None:
            self.victim.kill()
            self.victim = None
        return denied


async def test_killed_after_the_writing_down(tmp_path: Path) -> None:
    """A signer that dies once it has admitted leaves a doubt; the app's retry pays it, once."""
    ledger = DeadlyLedger()
    async with signed_market(tmp_path, ports=Ports(wrap_ledger=ledger.around)) as place:
        ledger.victim = place.signers["main"]
        first, error = await heard(place, "seller")

        assert (503, "sidecar_payment_in_doubt") == (first, error["code"])
        assert [PaymentState.AUTHORIZED] == await states(place)
        assert () == place.sandbox.books.settlements
        place.restart("main")
        second, _ = await heard(place, "seller")

        assert 200 == second
        assert [PaymentState.POSTED] == await states(place)
        assert 1 == place.journaled("main") == len(place.sandbox.books.settlements)


async def test_tighter_rules_after_the_writing_down(tmp_path: Path) -> None:
    """A refusal of what is written down already proves nothing: it stays in doubt."""
    ledger = DeadlyLedger()
    async with signed_market(tmp_path, ports=Ports(wrap_ledger=ledger.around)) as place:
        ledger.victim = place.signers["main"]
        await heard(place, "seller")
        home = place.signers["main"].folder
        rules = json.loads((home / "rules.json").read_text())
        write_files(home, (home / "key").read_text(), {**rules, "max_payment": "0.001 USDC"})
        place.restart("main")
        status, error = await heard(place, "seller")

        assert (503, "sidecar_payment_in_doubt") == (status, error["code"])
        assert "max_payment" in error["message"]
        assert [PaymentState.AUTHORIZED] == await states(place)


async def test_hung(tmp_path: Path) -> None:
    """A signer that hangs holds up its own payments, and nobody else."""
    async with signed_market(tmp_path) as place:
        pid = place.signers["main"].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            async with app(place, "seller") as client:
                paying = asyncio.ensure_future(client.chat.completions.create(**CALL))
                while not await states(place):
                    await asyncio.sleep(0.01)
                unpaid = [(await heard(place, "venice-key"))[0] for _ in range(3)]

                assert [200] * 3 == unpaid
                assert not paying.done()
                with pytest.raises(openai.APIStatusError) as caught:
                    await paying
        finally:
            os.kill(pid, signal.SIGCONT)

        assert 503 == caught.value.status_code
        assert [PaymentState.VOIDED] == await states(place)
        assert () == place.sandbox.books.settlements
