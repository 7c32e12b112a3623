"""One process with several routes and callers; and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp
import anthropic
import openai
from aiohttp import web

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.read import parse_config
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.service import Ports, Service, open_all
from tests.world.processes import free_port
from tests.world.running import KEY, TOKEN, config_text, listening, running, write_private

ROOT = Path(__file__).resolve().parents[2]
KEYED = "sk-the-real-key-of-the-account"
CONFIG = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state_dir: {folder}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
budgets:
  - {{name: all, limit: "1.00 USDC", window: 1d}}
  - {{name: small, limit: "0.015 USDC", window: 1h}}
callers:
  - {{name: rich, token: {{file: {folder}/rich.token}}}}
  - {{name: poor, token: {{file: {folder}/poor.token}}, budgets: [small]}}
routes:
  seller:
    provider: pay_per_request
    upstream: {seller}
    wallet: main
    default: true
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [all]
  keyed:
    provider: api_key
    upstream: {keyed}
    api_key: {{file: {folder}/api.key}}
  messages:
    provider: api_key
    upstream: {keyed}
    api_key: {{file: {folder}/api.key}}
    api_key_header: x-api-key
"""


async def show_key(request: web.Request) -> web.Response:
    shown = {name: request.headers.get(name) for name in ("Authorization", "x-api-key")}
    return web.json_response(shown)


async def ask(base_url: str, token: str) -> int:
    client = openai.AsyncOpenAI(base_url=base_url, api_key=token, max_retries=0)
    try:
        await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hello"}]
        )
    except openai.APIStatusError as refusal:
        return refusal.status_code
    finally:
        await client.close()
    return 200


async def test_routes_and_callers(tmp_path: Path) -> None:
    """Each caller has its own token and budget, each route its own credential and prefix."""
    tokens = {"rich": TOKEN, "poor": f"{TOKEN}-2"}
    write_private(tmp_path / "evm.key", KEY)
    write_private(tmp_path / "api.key", KEYED)
    for name, token in tokens.items():
        write_private(tmp_path / f"{name}.token", token)
    app = web.Application()
    app.router.add_get("/v1/key", show_key)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sandbox = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    keyed = f"http://127.0.0.1:{runner.addresses[0][1]}"
    config = parse_config(
        CONFIG.format(folder=tmp_path, seller=sandbox.url, keyed=keyed), {}, {}, tmp_path
    )
    opened = open_all(config, {}, SystemEntropy())
    service = await Service.start(config, opened, lambda event: None, Ports())
    url = f"http://127.0.0.1:{service.port}"
    try:
        async with aiohttp.ClientSession(headers={"x-api-key": TOKEN}) as session:
            async with session.get(f"{url}/keyed/v1/key") as response:
                bearer = await response.json()
            async with session.get(f"{url}/messages/v1/key") as response:
                header = await response.json()
        poor = [await ask(f"{url}/v1", tokens["poor"]) for _ in range(2)]
        rich = [await ask(f"{url}/seller/v1", tokens["rich"]) for _ in range(2)]
        stranger = await ask(f"{url}/v1", "sk-nobody")
        settled = len(sandbox.books.settlements)
    finally:
        await service.stop()
        await sandbox.stop()
        await runner.cleanup()

    assert {"Authorization": f"Bearer {KEYED}", "x-api-key": None} == bearer
    assert {"Authorization": None, "x-api-key": KEYED} == header
    assert ([200, 402], [200, 200], 401) == (poor, rich, stranger)
    assert 3 == settled


async def test_anthropic_client(tmp_path: Path) -> None:
    """The stock Anthropic client is served as well, and refused in its own shape."""
    async with running(tmp_path, budget="0.01 USDC") as world:
        client = anthropic.AsyncAnthropic(
            base_url=world.base_url.removesuffix("/v1"), api_key=TOKEN, max_retries=0
        )
        call = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        message = await client.messages.create(**call)  # type: ignore[call-overload]
        try:
            await client.messages.create(**call)  # type: ignore[call-overload]
        except anthropic.APIStatusError as refusal:
            refused = refusal.status_code, refusal.body
        await client.close()

    assert message.content[0].text.endswith("hi")
    assert isinstance(refused[1], dict)
    assert (402, "billing_error") == (refused[0], refused[1]["error"]["type"])


async def test_sigterm_drains(tmp_path: Path) -> None:
    """After SIGTERM a stream under way ends whole, nothing new is served, and the exit is 0."""
    sandbox = Sandbox(SandboxOptions(chunk_delay_s=0.15), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    port = free_port()
    config = tmp_path / "sidecar.yaml"
    config.write_text(config_text(tmp_path, sandbox.url, port=port, admin_port=free_port()))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
        cwd=ROOT,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await listening(port)
    client = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=0
    )
    stream = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "one two three four five"}], stream=True
    )
    words: list[str] = []
    async for chunk in stream:
        if not words:
            child.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            late = await ask_plainly(port)
        words.append(chunk.choices[0].delta.content or "")
    status = await asyncio.wait_for(child.wait(), 20)
    await client.close()
    await sandbox.stop()

    assert "".join(words).endswith("one two three four five")
    assert not late
    assert 0 == status
    assert 1 == len(sandbox.books.settlements)


async def ask_plainly(port: int) -> bool:
    """Whether a new connection is served."""
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/v1/models") as response:
                await response.read()
    except aiohttp.ClientError:
        return False
    return True


async def test_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    """While the ledger cannot be written nothing is signed, and unpaid traffic flows."""
    async with running(tmp_path) as world:
        await world.service._ledger.close()  # type: ignore[union-attr]  # started
        paid = await ask(world.base_url, TOKEN)
        async with aiohttp.ClientSession(headers={"x-api-key": TOKEN}) as session:
            async with session.get(f"{world.base_url}/models") as response:
                free = response.status
            url = f"http://127.0.0.1:{world.service.admin_port}/readyz"
            async with session.get(url) as response:
                ready = response.status, json.loads(await response.text())["failed"]
        presented = len(world.sandbox.books.presentations)

    assert (503, 200, 0) == (paid, free, presented)
    assert 503 == ready[0]
    assert "ledger" in ready[1]
