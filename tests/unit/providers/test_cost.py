"""Costs and token counts, as each vendor tells them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.http import HttpResponse
from sidecar.providers.cost import Price, Reading, Usage, estimate, price_of, read_cost

SSE = (("Content-Type", "text/event-stream; charset=utf-8"),)
CHUNK = {"id": "c", "model": "m", "choices": [{"delta": {"content": "hi"}}], "usage": None}


def document(**fields: Any) -> HttpResponse:
    """A JSON answer with these fields."""
    return HttpResponse(200, (("Content-Type", "application/json"),), json.dumps(fields).encode())


def stream(*events: Any, end: str = "\n\n") -> HttpResponse:
    """An event stream of these documents, ended as OpenAI ends it."""
    text = "".join(f"data: {json.dumps(event)}{end}" for event in events)
    return HttpResponse(200, SSE, f"{text}data: [DONE]{end}".encode())


def test_venice() -> None:
    """Venice tells the cost in USD beside the usage."""
    response = document(
        model="m",
        usage={"prompt_tokens": 5, "completion_tokens": 1},
        cost={"usd": 0.00042, "diem": 0},
    )

    assert Reading(Decimal("0.00042"), Usage(5, 1), "m") == read_cost(response)


def test_openrouter() -> None:
    """OpenRouter tells the cost within the usage."""
    response = document(usage={"prompt_tokens": 5, "completion_tokens": 1, "cost": 0.002})

    assert Decimal("0.002") == read_cost(response).cost_usd


def test_openai_cached() -> None:
    """OpenAI counts what it read from its cache within the prompt."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 60},
    }

    assert Usage(100, 7, 60) == read_cost(document(usage=usage)).usage


def test_openai_responses() -> None:
    """OpenAI's newer API has other names for the same counts."""
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60},
        "output_tokens": 7,
    }

    assert Usage(100, 7, 60) == read_cost(document(usage=usage)).usage


def test_anthropic() -> None:
    """Anthropic counts what its cache held or was given beside the input."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 30,
        "output_tokens": 7,
    }

    assert Usage(100, 7, 60) == read_cost(document(usage=usage)).usage


def test_embeddings() -> None:
    """An answer without a completion has used its prompt alone."""
    assert Usage(8, 0) == read_cost(document(usage={"prompt_tokens": 8, "total_tokens": 8})).usage


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r"])
def test_stream(end: str) -> None:
    """In a stream the last chunk tells cost, usage and model."""
    last = {
        "model": "m",
        "choices": [],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
        "cost": {"usd": 0.00042, "diem": 0},
    }

    assert Reading(Decimal("0.00042"), Usage(5, 1), "m") == read_cost(
        stream(CHUNK, CHUNK, last, end=end)
    )


def test_stream_cut_at_its_start() -> None:
    """A tail that starts in the middle of an event is read from the next one on."""
    whole = stream(CHUNK, {"usage": {"prompt_tokens": 5}, "cost": {"usd": 1}}).body

    for cut in range(len(whole) // 2):
        assert Decimal(1) == read_cost(HttpResponse(200, SSE, whole[cut:])).cost_usd


def test_stream_that_tells_twice() -> None:
    """What one event tells stays told where a later one is silent about it."""
    response = stream({"cost": {"usd": 1}}, {"model": "m", "usage": {"prompt_tokens": 5}})

    assert Reading(Decimal(1), Usage(5, 0), "m") == read_cost(response)


def test_kind_of_stream() -> None:
    """A stream is one in any spelling of its type."""
    body = b'data: {"cost":{"usd":1}}'

    assert (
        Decimal(1)
        == read_cost(HttpResponse(200, (("content-type", "Text/Event-Stream"),), body)).cost_usd
    )


def test_stream_that_grows() -> None:
    """Where every chunk tells the usage so far, the last one counts."""
    events = [
        {"usage": {"prompt_tokens": 5, "completion_tokens": n}, "cost": {"usd": n}}
        for n in range(100)
    ]

    assert Reading(Decimal(99), Usage(5, 99)) == read_cost(stream(*events))


def test_anthropic_stream() -> None:
    """Anthropic tells the model and the input first, and the output last."""
    response = stream(
        {
            "type": "message_start",
            "message": {"model": "claude", "usage": {"input_tokens": 25, "output_tokens": 1}},
        },
        *({"type": "message_delta", "usage": {"output_tokens": n}} for n in range(16)),
        {"type": "message_stop"},
    )

    assert Reading(None, Usage(25, 15), "claude") == read_cost(response)


def test_anthropic_stream_without_its_start() -> None:
    """An output without its input is no usage: half a price would pass for the whole."""
    assert None is read_cost(stream({"usage": {"output_tokens": 15}})).usage


def test_responses_stream() -> None:
    """OpenAI's newer API tells it within the response that its last event holds."""
    response = stream(
        {"type": "response.output_text.delta", "delta": "hi"},
        {
            "type": "response.completed",
            "response": {"model": "m", "usage": {"input_tokens": 3, "output_tokens": 2}},
        },
    )

    assert Reading(None, Usage(3, 2), "m") == read_cost(response)


def test_event_of_several_lines() -> None:
    """An event may be written over several lines, with other fields between."""
    body = b': hello\ndata: {"cost": {"usd":\nevent: x\ndata: 2}}\n\n'

    assert Decimal(2) == read_cost(HttpResponse(200, SSE, body)).cost_usd


def test_text_is_not_read() -> None:
    """What the model writes about costs is text, and tells nothing."""
    said = json.dumps({"cost": {"usd": 99}})

    assert Reading() == read_cost(stream({"choices": [{"delta": {"content": said}}]}))


@pytest.mark.parametrize(
    "fields",
    [
        {"cost": {"usd": -1}},
        {"cost": {"usd": True}},
        {"cost": {"usd": None}},
        {"cost": {"usd": "lots"}},
        {"cost": {"usd": 1e13}},
        {"cost": {"diem": 1}},
        {"cost": 7},
        {"cost": []},
        {"usage": []},
        {"usage": 7},
        {"usage": {"cost": {"total": 1}}},
        {"usage": {"cost": -0.1}},
        {"usage": {"prompt_tokens": True}},
        {"usage": {"prompt_tokens": -5}},
        {"usage": {"prompt_tokens": 5.5}},
        {"usage": {"prompt_tokens": "5"}},
        {"usage": {"prompt_tokens": 10**13}},
        {"model": 5},
        {"model": ["m"]},
        {"message": "hi"},
        {"response": [1]},
    ],
)
def test_nonsense(fields: dict[str, Any]) -> None:
    """What is no cost, no count and no name was not said, in a document or in a stream."""
    assert Reading() == read_cost(document(**fields)) == read_cost(stream(fields))


def test_more_cached_than_read() -> None:
    """No more can come from a cache than was read at all."""
    usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}

    assert Usage(5, 0, 5) == read_cost(document(usage=usage)).usage


@pytest.mark.parametrize(
    "event",
    [
        b'{"cost":{"usd":1},"cost":{"usd":2}}',
        b'{"cost":{"usd":NaN}}',
        b'{"cost":{"usd":1}',
        b'[{"cost":{"usd":1}}]',
        b'{"cost":' * 20_000,
        b'\xff\xfe{"cost":{"usd":1}}',
    ],
)
def test_unreadable_event(event: bytes) -> None:
    """An event that cannot be read in one way is passed over, and the others are not."""
    good = b'data: {"cost":{"usd":3}}\n\n'

    for body in (good + b"data: " + event + b"\n\n", b"data: " + event + b"\n\n" + good):
        assert Decimal(3) == read_cost(HttpResponse(200, SSE, body)).cost_usd


@given(st.binary(max_size=300))
@example(b"")
@example(b"data:")
@example(b'data: {"usage":{"prompt_tokens":1}}')
def test_any_bytes(body: bytes) -> None:
    """No body whatever makes the reading fail."""
    for headers in ((), SSE, (*SSE, *SSE), (("content-encoding", "deflate"),)):
        read_cost(HttpResponse(200, headers, body))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "cost",
                        "usd",
                        "usage",
                        "model",
                        "message",
                        "response",
                        "prompt_tokens",
                        "input_tokens",
                        "prompt_tokens_details",
                        "cached_tokens",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document(value: Any) -> None:
    """What is read of any document is a cost of zero or more, and usage that can be priced."""
    body = json.dumps(value).encode()
    for response in (HttpResponse(200, (), body), HttpResponse(200, SSE, b"data: " + body)):
        reading = read_cost(response)
        assert reading.cost_usd is None or reading.cost_usd >= 0
        if reading.usage is not None:
            assert estimate(reading.usage, Price(Decimal(1), Decimal(1))) >= 0


PRICE = Price(Decimal("2.50"), Decimal("10.00"), Decimal("1.25"))


def test_estimate() -> None:
    """An estimate is each kind of token at its own price for a million."""
    assert Decimal("0.000245") == estimate(Usage(100, 7, 60), PRICE)


def test_estimate_without_a_price_for_the_cache() -> None:
    """What came from the cache costs as much as the rest, where its price is not said."""
    price = Price(Decimal(1), Decimal(0))

    assert Decimal("0.0001") == estimate(Usage(100, 0, 60), price)


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity"])
def test_no_price(price: str) -> None:
    """A price is a number of zero or more."""
    with pytest.raises(ValueError, match="not a price"):
        Price(Decimal(1), Decimal(price))


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o", PRICE),
        ("gpt-4o-2024-08-06", PRICE),
        ("gpt-4o-20240806", PRICE),
        ("gpt-4o-mini", None),
        ("gpt-4o-mini-2024-07-18", None),
        ("gpt", None),
        ("", None),
    ],
)
def test_price_of(model: str, price: Price | None) -> None:
    """A model is priced by its own name, with its date or without, and by no other's."""
    assert price == price_of(model, {"gpt-4o": PRICE})


def test_price_of_a_date() -> None:
    """A dated model that has a price of its own is priced by that."""
    dated = Price(Decimal(9), Decimal(9))

    assert dated == price_of("m-20240806", {"m": PRICE, "m-20240806": dated})
