"""What is sold has the shapes that the stock clients read."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest

from sidecar.sandbox import goods
from tests.unit.sandbox.client import CHAT, Buyer, chat
from tests.world.payment_builder import encode

SAID = "one two three"
WORDS = f"The sandbox heard: {SAID}"


async def ticket(buyer: Buyer, path: str) -> dict[str, str]:
    """A header that pays for one call of this path."""
    return {"PAYMENT-SIGNATURE": encode(buyer.build.v2(await buyer.terms("POST", path, b"")))}


async def stock_openai(buyer: Buyer, path: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=buyer.sandbox.url + "/v1",
        api_key="any",
        max_retries=0,
        default_headers=await ticket(buyer, path),
    )


async def test_openai(buyer: Buyer) -> None:
    """The stock OpenAI client reads a completion, with its usage."""
    async with await stock_openai(buyer, CHAT) as client:
        answer = await client.chat.completions.create(
            model="sandbox-1", messages=[{"role": "user", "content": SAID}]
        )

    assert WORDS == answer.choices[0].message.content
    assert answer.usage is not None
    assert (3, 6, 9) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        answer.usage.total_tokens,
    )


async def test_openai_stream(buyer: Buyer) -> None:
    """It reads a stream word by word, with the usage in the last chunk."""
    async with await stock_openai(buyer, CHAT) as client:
        stream = await client.chat.completions.create(
            model="sandbox-1", messages=[{"role": "user", "content": SAID}], stream=True
        )
        chunks = [chunk async for chunk in stream]

    assert WORDS == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert 6 < len(chunks)
    assert "stop" == chunks[-1].choices[0].finish_reason
    assert chunks[-1].usage is not None
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_openai_embeddings(buyer: Buyer) -> None:
    """It reads embeddings, which it asks for in base64, and models, which are free."""
    async with await stock_openai(buyer, "/v1/embeddings") as client:
        answer = await client.embeddings.create(model="sandbox-1", input=["a", "b"])
        models = await client.models.list()

    assert [8, 8] == [len(one.embedding) for one in answer.data]
    assert answer.data[0].embedding != answer.data[1].embedding
    assert ["sandbox-1"] == [model.id for model in models.data]


async def stock_anthropic(buyer: Buyer) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        base_url=buyer.sandbox.url,
        api_key="any",
        max_retries=0,
        default_headers=await ticket(buyer, "/v1/messages"),
    )


async def test_anthropic(buyer: Buyer) -> None:
    """The stock Anthropic client reads a message."""
    async with await stock_anthropic(buyer) as client:
        answer = await client.messages.create(
            model="sandbox-1", max_tokens=99, messages=[{"role": "user", "content": SAID}]
        )

    assert [WORDS] == [block.text for block in answer.content if block.type == "text"]
    assert (3, 6) == (answer.usage.input_tokens, answer.usage.output_tokens)


async def test_anthropic_stream(buyer: Buyer) -> None:
    """It reads a stream of named events to its end."""
    async with await stock_anthropic(buyer) as client:
        async with client.messages.stream(
            model="sandbox-1", max_tokens=99, messages=[{"role": "user", "content": SAID}]
        ) as stream:
            words = [word async for word in stream.text_stream]
            whole = await stream.get_final_message()

    assert WORDS == "".join(words)
    assert "end_turn" == whole.stop_reason


async def test_anthropic_unpaid(buyer: Buyer) -> None:
    """Without a payment the stock Anthropic client gets a 402, once, and no message."""
    async with anthropic.AsyncAnthropic(
        base_url=buyer.sandbox.url, api_key="any", max_retries=2
    ) as client:
        with pytest.raises(anthropic.APIStatusError) as refusal:
            await client.messages.create(
                model="sandbox-1", max_tokens=99, messages=[{"role": "user", "content": SAID}]
            )

    assert 402 == refusal.value.status_code
    assert () == buyer.books.settlements


def test_content_parts() -> None:
    """A message may come in parts; the last one counts."""
    parts = [{"type": "text", "text": "no"}, {"type": "text", "text": SAID}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}).encode()

    assert WORDS == json.loads(goods.chat_completion(body).body)["choices"][0]["message"]["content"]


def test_ids_come_from_the_request() -> None:
    """Two requests have two ids, one request always has the same."""
    first, again, other = (
        json.loads(goods.chat_completion(chat(said)).body)["id"] for said in ("a", "a", "b")
    )

    assert first == again != other


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"messages": []}',
        b'{"model": "m", "messages": []}',
        b'{"model": "m", "messages": [{"content": 1}]}',
        b"[" * 100_000,
    ],
)
def test_unusable(body: bytes) -> None:
    """What makes no sense is refused with 400, each API in its own shape."""
    assert [400, 400, 400] == [
        make(body).status for make in (goods.chat_completion, goods.message, goods.embeddings)
    ]
    assert "error" == json.loads(goods.message(body).body)["type"]


def test_embeddings_of_one_text() -> None:
    """A single text gives one vector of numbers; what is not text is refused."""
    one = json.loads(goods.embeddings(b'{"model": "m", "input": "a"}').body)

    assert 8 == len(one["data"][0]["embedding"])
    assert 400 == goods.embeddings(b'{"model": "m", "input": [1]}').status
