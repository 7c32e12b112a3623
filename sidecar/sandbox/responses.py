"""What the seller says where it is asked by OpenAI's Responses API.

A stream there has named and numbered events, and ends with ``response.completed``, without [DONE].
"""

from __future__ import annotations

from sidecar.sandbox.goods import (
    CREATED_S,
    Goods,
    UnusableError,
    as_json,
    as_stream,
    last_text,
    mark_of,
    named_event,
    openai_refusal,
    pieces_of,
    read_request,
)


def response(body: bytes) -> Goods:
    """POST /v1/responses: one JSON answer, or its named events."""
    try:
        request = read_request(body)
        given = request.get("input")
        said = given[:2_000] if isinstance(given, str) else last_text(given, "input")
    except UnusableError as error:
        return openai_refusal(str(error))
    text = f"The sandbox heard: {said}"
    item = _item(body, text)
    whole = _whole(body, request["model"], item, (len(pieces_of(said)), len(pieces_of(text))))
    if request.get("stream") is not True:
        return as_json(whole)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[tuple[str, dict[str, object]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        *_item_events(item, text),
        ("response.completed", {"response": whole}),
    ]
    return as_stream(
        *(
            named_event(name, sequence_number=number, **fields)
            for number, (name, fields) in enumerate(events)
        )
    )


def _whole(
    body: bytes, model: object, item: dict[str, object], tokens: tuple[int, int]
) -> dict[str, object]:
    taken, given = tokens
    return {
        "id": f"resp_{mark_of(body)}",
        "object": "response",
        "created_at": CREATED_S,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": taken,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": given,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": taken + given,
        },
    }


def _item(body: bytes, text: str) -> dict[str, object]:
    return {
        "id": f"msg_{mark_of(body)}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [_part(text)],
    }


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item_events(item: dict[str, object], text: str) -> list[tuple[str, dict[str, object]]]:
    """The events of the one message that is in an answer."""
    output = {"output_index": 0}
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**item, "status": "in_progress", "content": []}
    return [
        ("response.output_item.added", {**output, "item": begun}),
        ("response.content_part.added", {**place, "part": _part("")}),
        *(
            ("response.output_text.delta", {**place, "delta": word, "logprobs": []})
            for word in pieces_of(text)
        ),
        ("response.output_text.done", {**place, "text": text, "logprobs": []}),
        ("response.content_part.done", {**place, "part": _part(text)}),
        ("response.output_item.done", {**output, "item": item}),
    ]
