"""`sidecar demo`: a sandbox seller, the sidecar and the stock OpenAI client on one screen.

No money, no network and no config: everything is made in a temporary folder and gone afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidecar.cli.exits import OK, PROTOCOL
from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.read import parse_config
from sidecar.ledger.model import Payment
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.payments.events import Event
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.service import Ports, Service, open_all
from sidecar.values import dataclass
from sidecar.wallets.evm import EvmWallet

NEXT = """
Next, with an app of your own, and still without money:
  sidecar sandbox                            in one terminal
  sidecar init --provider sandbox --yes      in another, and there
  sidecar run -- python your_app.py
"""
PRICE = Usdc.parse("0.01 USDC")
BUDGET = Usdc.parse("0.025 USDC")
LEDGER = "ledger.db"
METRICS_SHOWN = ("sidecar_spend_usdc_total", "sidecar_payments_total", "sidecar_budget_remaining")

CONFIG = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state_dir: {folder}
ledger: {{sqlite: ledger.db}}
log: {{level: error}}
wallets:
  demo: {{kind: evm, key: {{file: {folder}/evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{rpc}"]}}
budgets:
  - {{name: demo, limit: "{budget}", window: 1d}}
routes:
  sandbox:
    provider: pay_per_request
    upstream: {upstream}
    wallet: demo
    default: true
    networks: ["eip155:84532"]
    max_payment: "0.02 USDC"
    budgets: [demo]
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one call: its answer, or its refusal, and the payment it cost."""

    text: str
    payment_id: str = ""
    refused: bool = False


Ask = Callable[[str, bool], Asked]


def demo(args: argparse.Namespace) -> int:
    """Run it. 0 when the paid calls were paid once each and the last one was refused."""
    with tempfile.TemporaryDirectory(prefix="sidecar-demo-") as folder:
        return asyncio.run(_demo(Path(folder)))


async def _demo(folder: Path) -> int:
    entropy = SystemEntropy()
    key = entropy.token(32)
    _write_private(folder / "evm.key", key.hex())
    sandbox = Sandbox(SandboxOptions(price=PRICE), SystemClock(), entropy)
    await sandbox.start("127.0.0.1", 0)
    try:
        text = CONFIG.format(
            folder=folder, rpc=sandbox.rpc_url, upstream=sandbox.url, budget=BUDGET
        )
        config = parse_config(text, {}, {}, folder)
        opened = open_all(config, {}, entropy)
        service = await Service.start(config, opened, _unheard, Ports(entropy=entropy))
        try:
            token = (folder / "caller.token").read_text().strip()
            return await _show(sandbox, service, EvmWallet(key).address, token, folder)
        finally:
            await service.stop()
    finally:
        await sandbox.stop()


def _unheard(event: Event) -> None:
    """The screen is for the demo; what happens is in the ledger and the metrics."""


async def _show(sandbox: Sandbox, service: Service, address: str, token: str, folder: Path) -> int:
    base_url = f"http://127.0.0.1:{service.port}/v1"
    client, ask = _client(base_url, token)
    print("x402-sidecar demo: no account, no API key, no real money\n")
    print(f"  seller    {sandbox.url}     wants {PRICE} a call (x402 v2, Base Sepolia)")
    print(f"  sidecar   {base_url}  is what OPENAI_BASE_URL is set to")
    print(f"  wallet    {address}  made for this demo")
    print(f"  budget    {BUDGET} a day")
    print(f"  client    {client}\n")
    good = True
    for question, streams in (("Say hello", False), ("Say it as a stream", True)):
        asked = await asyncio.to_thread(ask, question, streams)
        good = good and not asked.refused
        print(f"> {question}{'   [streamed]' if streams else ''}")
        print(f"  answer    {asked.text}")
        await _show_payment(folder, asked.payment_id)
    asked = await asyncio.to_thread(ask, "Once more, over the budget", False)
    good = good and asked.refused
    print("> Once more, over the budget")
    print(f"  refused   {asked.text}\n")
    await _show_books(sandbox, service, folder)
    return OK if good else PROTOCOL


async def _show_payment(folder: Path, payment_id: str) -> None:
    payment = next((row for row in await _payments(folder) if row.id == payment_id), None)
    if payment is None or payment.proof is None:
        print("  paid      nothing on record\n")
        return
    spent = Usdc(sum(row.amount.atomic for row in await _payments(folder)))
    print(f"  paid      {payment.amount}, once, to {payment.pay_to}")
    print(f"  receipt   {payment.proof.transaction}")
    left = Usdc(BUDGET.atomic - spent.atomic)
    print(f"  budget    {spent} spent, {left} left of {BUDGET}\n")


async def _show_books(sandbox: Sandbox, service: Service, folder: Path) -> None:
    print("Ledger")
    for row in reversed(await _payments(folder)):
        delivered = "delivered" if row.delivered_at else "not delivered"
        print(f"  {row.id}  {row.state}  {row.amount}  {delivered}")
    settlements = sandbox.books.settlements
    print(f"Seller's own books: {len(settlements)} settlements, {sandbox.books.settled_total}")
    metrics_url = f"http://127.0.0.1:{service.admin_port}/metrics"
    print("Metrics, of those at /metrics on the admin port:")
    for line in (await asyncio.to_thread(_fetch, metrics_url)).splitlines():
        if line.startswith(METRICS_SHOWN) and not line.endswith(" 0.0"):
            print(f"  {line}")
    print(NEXT, end="")


async def _payments(folder: Path) -> tuple[Payment, ...]:
    """The ledger's rows, read beside the running sidecar. The last delivery mark is awaited."""
    for _ in range(50):
        rows = await asyncio.to_thread(SqliteLedger.read, folder / LEDGER, None, 100)
        if all(row.delivered_at for row in rows):
            break
        await SystemClock().sleep(0.02)
    return rows


def _client(base_url: str, token: str) -> tuple[str, Ask]:
    """The stock OpenAI client where it is installed; else plain HTTP, and it says so."""
    try:
        openai: Any = importlib.import_module("openai")
    except ImportError:
        return "plain HTTP (pip install openai shows the stock client)", _plain(base_url, token)
    client = openai.OpenAI(base_url=base_url, api_key=token)

    def ask(question: str, streams: bool) -> Asked:
        messages = [{"role": "user", "content": question}]
        call = client.chat.completions.with_raw_response.create
        try:
            response = call(model="sandbox", messages=messages, stream=streams)
        except openai.APIStatusError as refusal:
            return Asked(f"{refusal.status_code} {refusal.body['message']}", refused=True)
        answer = response.parse()
        if streams:
            deltas = [chunk.choices[0].delta.content or "" for chunk in answer]
            text = "".join(deltas)
        else:
            text = answer.choices[0].message.content
        return Asked(text, response.headers["x-sidecar-payment-id"])

    return f"the stock OpenAI client, openai {openai.__version__}", ask


def _plain(base_url: str, token: str) -> Ask:
    def ask(question: str, streams: bool) -> Asked:
        body = {"model": "sandbox", "messages": [{"role": "user", "content": question}]}
        request = urllib.request.Request(  # noqa: S310 - our own loopback port
            f"{base_url}/chat/completions",
            json.dumps(body | {"stream": streams}).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310 - as above
                text = response.read().decode()
                return Asked(" ".join(text.split())[:200], response.headers["x-sidecar-payment-id"])
        except urllib.error.HTTPError as refusal:
            message = json.loads(refusal.read())["error"]["message"]
            return Asked(f"{refusal.code} {message}", refused=True)

    return ask


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url) as response:  # noqa: S310 - our own loopback port
        text: str = response.read().decode()
        return text


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
