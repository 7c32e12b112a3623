"""Everything that the stock OpenAI client does, through the sidecar as it runs by default.

Whatever it asks at once, streams, uploads or tries again: each answer is its own, and is paid for
once, counted at the seller.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from sidecar.sandbox import SandboxOptions
from tests.world.running import TOKEN, Running, running

AT_ONCE = 50
FILE = bytes(range(256)) * 8 * 1024


@asynccontextmanager
async def stock(
    folder: Path, options: SandboxOptions | None = None, *, slash: str = "", **more: Any
) -> AsyncIterator[tuple[Running, openai.AsyncOpenAI]]:
    """A seller, a sidecar, and the client as an app makes it."""
    async with running(folder, options, response_wait_s=10) as world:
        url = world.base_url + slash
        async with openai.AsyncOpenAI(base_url=url, api_key=TOKEN, **more) as client:
            yield world, client


def asked(said: str) -> dict[str, Any]:
    """One question."""
    return {"model": "m", "messages": [{"role": "user", "content": said}]}


async def whole(client: openai.AsyncOpenAI, said: str) -> str:
    """Its answer, at once."""
    answer = await client.chat.completions.create(**asked(said))
    return answer.choices[0].message.content or ""


async def streamed(client: openai.AsyncOpenAI, said: str) -> str:
    """Its answer, in pieces."""
    stream = await client.chat.completions.create(**asked(said), stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def test_at_once(tmp_path: Path) -> None:
    """Fifty answers and fifty streams at once: each app has its own, for a hundred payments."""
    async with stock(tmp_path, max_retries=0) as (world, client):
        await client.models.list()
        said = [f"number {number}" for number in range(AT_ONCE)]
        answers = await asyncio.gather(
            *(whole(client, f"whole {each}") for each in said),
            *(streamed(client, f"streamed {each}") for each in said),
        )
        paid = {(one.body_sha256, one.nonce) for one in world.sandbox.books.settlements}

    assert [f"The sandbox heard: whole {each}" for each in said] == answers[:AT_ONCE]
    assert [f"The sandbox heard: streamed {each}" for each in said] == answers[AT_ONCE:]
    assert 2 * AT_ONCE == len(paid) == len({body for body, _ in paid})


@pytest.mark.parametrize("slash", ["", "/"], ids=["bare", "slash"])
async def test_apis(tmp_path: Path, slash: str) -> None:
    """Responses, embeddings and models are answered as the client wants them."""
    async with stock(tmp_path, slash=slash, max_retries=0) as (world, client):
        response = await client.responses.create(model="m", input="hello")
        stream = await client.responses.create(model="m", input="hello", stream=True)
        events = [event async for event in stream]
        vectors = await client.embeddings.create(model="m", input=["a", "b"])
        models = [model.id async for model in client.models.list()]
        paid = len(world.sandbox.books.settlements)

    assert "The sandbox heard: hello" == response.output_text
    assert "response.completed" == events[-1].type
    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert [8, 8] == [len(vector.embedding) for vector in vectors.data]
    assert ["sandbox-1"] == models
    assert 3 == paid


async def test_raw_responses(tmp_path: Path) -> None:
    """Apps that look at responses themselves find what was paid, and the seller's own bytes."""
    async with stock(tmp_path, max_retries=0) as (world, client):
        raw = await client.chat.completions.with_raw_response.create(**asked("hello"))
        async with client.chat.completions.with_streaming_response.create(
            **asked("once more"), stream=True
        ) as response:
            lines = [line async for line in response.iter_lines() if line]
        paid = world.sandbox.books.settlements

    assert "The sandbox heard: hello" == raw.parse().choices[0].message.content
    assert raw.headers["x-sidecar-payment-id"] != response.headers["x-sidecar-payment-id"]
    assert raw.headers["x-request-id"].startswith("req_")
    assert "data: [DONE]" == lines[-1]
    assert 2 == len(paid)


async def test_files(tmp_path: Path) -> None:
    """Two megabytes in a form arrive whole, for nothing and for a payment alike."""
    async with stock(tmp_path, max_retries=0) as (world, client):
        kept = await client.files.create(file=("two.bin", FILE), purpose="assistants")
        free = len(world.sandbox.books.settlements)
        sold = await client.post(
            "/paid",
            cast_to=dict[str, Any],
            files=[("file", ("two.bin", FILE))],
            options={"headers": {"Content-Type": "multipart/form-data; boundary=edge"}},
        )
        paid = world.sandbox.books.settlements

    assert (len(FILE), "two.bin", "assistants") == (kept.bytes, kept.filename, kept.purpose)
    assert 0 == free
    assert 1 == len(paid)
    # What the seller was paid for is what it was sent.
    assert sold["sha256"] == paid[0].body_sha256
    assert len(FILE) < sold["bytes"]


@pytest.mark.parametrize("fault", ["settle_then_500", "settle_then_reset", "settle_then_cut_body"])
async def test_retries(tmp_path: Path, fault: str) -> None:
    """What goes wrong after the money has moved is tried again by the client, and paid once."""
    async with stock(tmp_path, max_retries=4) as (world, client):
        call = {**asked("hello"), "model": f"fault:{fault}:1"}
        answer = await client.chat.completions.create(**call)
        paid = world.sandbox.books.settlements

    assert "The sandbox heard: hello" == answer.choices[0].message.content
    assert 1 == len(paid)


async def test_timeouts(tmp_path: Path) -> None:
    """A client that gives up and tries again, while the seller takes its time, pays once."""
    options = SandboxOptions(handler_delay_s=1.5)
    async with stock(tmp_path, options, max_retries=8, timeout=0.7) as (world, client):
        answer = await whole(client, "hello")
        paid = world.sandbox.books.settlements

    assert "The sandbox heard: hello" == answer
    assert 1 == len(paid)


async def test_same_bytes(tmp_path: Path) -> None:
    """What costs nothing passes unchanged, one call after another on a client's connections."""
    async with stock(tmp_path, max_retries=0) as (_, client):
        sizes = [0, 1, 1_000, 100_000, 3_000_000] * 3
        bodies = [
            (await client.get(f"/bytes/{size}", cast_to=httpx2.Response)).content for size in sizes
        ]

    wanted = [bytes(range(256)) * (size // 256 + 1) for size in sizes]
    assert [
        hashlib.sha256(one[:size]).hexdigest() for one, size in zip(wanted, sizes, strict=True)
    ] == [hashlib.sha256(body).hexdigest() for body in bodies]


async def test_finished_response(tmp_path: Path) -> None:
    """An app that hangs up once a response is completed has it: the same call is a new purchase."""
    times = 3
    # The seller's own end of the stream comes a while after its last event.
    async with stock(tmp_path, SandboxOptions(chunk_delay_s=0.2)) as (world, client):
        for _ in range(times):
            stream = await client.responses.create(model="m", input="the same", stream=True)
            async for event in stream:
                if event.type == "response.completed":
                    break
            await stream.close()
            await asyncio.sleep(0.05)
        paid = world.sandbox.books.settlements

    assert times == len(paid)


async def test_unfinished_response(tmp_path: Path) -> None:
    """One that hangs up before, and comes back, is served by the payment that it made."""
    async with stock(tmp_path, SandboxOptions(chunk_delay_s=0.2)) as (world, client):
        stream = await client.responses.create(model="m", input="the same", stream=True)
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        await asyncio.sleep(0.3)
        stream = await client.responses.create(model="m", input="the same", stream=True)
        events = [event.type async for event in stream]
        paid = world.sandbox.books.settlements

    assert "response.completed" == events[-1]
    assert 1 == len(paid)
