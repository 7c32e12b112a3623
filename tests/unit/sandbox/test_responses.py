"""OpenAI's newer API, a count of tokens and a file, as the stock clients read them."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest

from sidecar.sandbox import goods, responses
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.test_goods import SAID, WORDS, stock_openai

PATH = "/v1/responses"


async def test_response(buyer: Buyer) -> None:
    """The stock client reads a response, with its usage."""
    async with await stock_openai(buyer, PATH) as client:
        answer = await client.responses.create(model="sandbox-1", input=SAID)

    assert WORDS == answer.output_text
    assert "completed" == answer.status
    assert answer.usage is not None
    assert (3, 6) == (answer.usage.input_tokens, answer.usage.output_tokens)


async def test_stream(buyer: Buyer) -> None:
    """It reads the events of a stream word by word, in their order, to the completed response."""
    async with await stock_openai(buyer, PATH) as client:
        stream = await client.responses.create(
            model="sandbox-1", input=[{"role": "user", "content": SAID}], stream=True
        )
        events = [event async for event in stream]
    words = [event.delta for event in events if event.type == "response.output_text.delta"]
    last = events[-1]

    assert WORDS == "".join(words)
    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert "response.created" == events[0].type
    assert last.type == "response.completed"
    assert WORDS == last.response.output_text


@pytest.mark.parametrize(
    "body", [b"", b'{"input": "a"}', b'{"model": "m"}', b'{"model": "m", "input": []}']
)
def test_unusable(body: bytes) -> None:
    """What makes no sense is refused with 400, as OpenAI words it."""
    made = responses.response(body)

    assert 400 == made.status
    assert "invalid_request_error" == json.loads(made.body)["error"]["type"]


async def test_count(buyer: Buyer) -> None:
    """The stock Anthropic client counts tokens for nothing; what makes no sense is a 400."""
    async with anthropic.AsyncAnthropic(
        base_url=buyer.sandbox.url, api_key="any", max_retries=0
    ) as client:
        counted = await client.messages.count_tokens(
            model="sandbox-1", messages=[{"role": "user", "content": SAID}]
        )

    assert 3 == counted.input_tokens
    assert () == buyer.books.presentations
    assert 400 == goods.counted(b"{}").status


async def test_file(buyer: Buyer) -> None:
    """The stock client uploads a file for nothing; a form without one is a 400."""
    async with openai.AsyncOpenAI(
        base_url=buyer.sandbox.url + "/v1", api_key="any", max_retries=0
    ) as client:
        kept = await client.files.create(file=("a.txt", b"abc"), purpose="batch")
        with pytest.raises(openai.BadRequestError):
            await client.post("/files", cast_to=object, body={})

    assert (3, "a.txt", "batch") == (kept.bytes, kept.filename, kept.purpose)
