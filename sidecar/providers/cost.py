"""What a response cost, read out of its body: what the vendor says, else tokens times a price.

Every vendor's way of saying it is read here, because apps meet many vendors behind one API:
``cost.usd`` (Venice), ``usage.cost`` (OpenRouter), and the token counts of OpenAI and Anthropic.
Of an event stream only the end may be here, and it may start in the middle of an event; few of
its events are read, so that a stream costs no more than its end.
Source: providers.md 1 (d) and (e), 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from sidecar.document import read_json
from sidecar.http import HttpResponse, header_values
from sidecar.providers.answer import cost, json_object
from sidecar.values import dataclass

TOKENS_MAX = 10**12
EVENTS_READ_MAX = 8
_MILLION = 1_000_000

_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
# Neither null nor empty, and no text of the model's: there the quotes have backslashes.
_TELLS = re.compile(rb'"(?:usage|cost)"\s*:\s*[{0-9]')
# Vendors answer with the dated name of a model that was asked for without it.
_MODEL_DATE = re.compile(r"-(?:[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})", re.ASCII)
_COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_DETAILS = ("prompt_tokens_details", "input_tokens_details")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that were used. ``cached``: how many of the input came from the vendor's cache."""

    input: int
    output: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a vendor asks for a million tokens, in USD. Cached input: as input, if not said."""

    input_usd: Decimal
    output_usd: Decimal
    cached_input_usd: Decimal | None = None

    def __post_init__(self) -> None:
        for price in (self.input_usd, self.output_usd, self.cached_input_usd):
            # Finite first: NaN cannot be compared.
            if price is not None and not (price.is_finite() and price >= 0):
                raise ValueError(f"not a price: {price}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a response says about its cost; ``usage`` is None where it is not said in full."""

    cost_usd: Decimal | None = None
    usage: Usage | None = None
    model: str = ""


def read_cost(response: HttpResponse) -> Reading:
    """What a JSON document says, or the end of an event stream. Never raises."""
    kind = "".join(header_values(response.headers, "content-type")).lower()
    if kind.startswith("text/event-stream"):
        return _reading(_events(response.body))
    return _reading([json_object(response)])


def estimate(usage: Usage, price: Price) -> Decimal:
    """The cost in USD of so many tokens at this price."""
    cached_usd = price.input_usd if price.cached_input_usd is None else price.cached_input_usd
    total = (
        (usage.input - usage.cached) * price.input_usd
        + usage.cached * cached_usd
        + usage.output * price.output_usd
    )
    return total / _MILLION


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of this model: by its own name, else by its name without the date."""
    price = prices.get(model)
    if price is not None:
        return price
    # Never by a prefix: the mini version of a model has its own price.
    return prices.get(_MODEL_DATE.sub("", model))


def _events(tail: bytes) -> Iterator[dict[str, Any]]:
    """The events that speak of cost, in order; what cannot be read is passed over."""
    telling = [event for event in _EVENT_END.split(tail) if _TELLS.search(event)]
    # Anthropic tells the input first and the output last; some tell all in every event.
    for event in telling[:1] + telling[1:][-EVENTS_READ_MAX:]:
        lines = (line for line in event.splitlines() if line.startswith(b"data:"))
        try:
            document = read_json(b"\n".join(line[5:] for line in lines))
        except ValueError:
            continue
        if isinstance(document, dict):
            yield document


def _reading(documents: Iterable[dict[str, Any]]) -> Reading:
    """What they say together: of what is said twice, the last, as counts grow in a stream."""
    cost_usd = None
    model = ""
    counts: dict[str, int] = {}
    for document in documents:
        # Anthropic's first event has them within its message; OpenAI's last, in its response.
        for part in (document, document.get("message"), document.get("response")):
            if not isinstance(part, dict):
                continue
            said_usd = _cost_usd(part)
            cost_usd = cost_usd if said_usd is None else said_usd
            name = part.get("model")
            model = name if isinstance(name, str) else model
            counts.update(_counts(part.get("usage")))
    return Reading(cost_usd, _usage(counts), model)


def _cost_usd(part: dict[str, Any]) -> Decimal | None:
    match part:
        case {"cost": {"usd": usd}}:
            return cost(usd)
        case {"usage": {"cost": usd}}:
            return cost(usd)
        case _:
            return None


def _counts(usage: Any) -> dict[str, int]:
    """The counts that we know, by the vendor's names; what is cached, by one of ours."""
    if not isinstance(usage, dict):
        return {}
    said = {name: usage.get(name) for name in _COUNTS}
    for name in _DETAILS:
        details = usage.get(name)
        if isinstance(details, dict):
            said["cached"] = details.get("cached_tokens")
    # True is 1 to Python.
    return {name: n for name, n in said.items() if type(n) is int and 0 <= n <= TOKENS_MAX}


def _usage(counts: dict[str, int]) -> Usage | None:
    cached = counts.get("cached", 0)
    if "prompt_tokens" in counts:
        total = counts["prompt_tokens"]
        # What is embedded has no completion.
        output = counts.get("completion_tokens", 0)
    elif "input_tokens" in counts:
        # Anthropic counts what its cache held or was given beside the input; OpenAI, within.
        read = counts.get("cache_read_input_tokens", 0)
        total = counts["input_tokens"] + read + counts.get("cache_creation_input_tokens", 0)
        cached += read
        output = counts.get("output_tokens", 0)
    else:
        # The start of a long stream, which said the input, is not here: half of it is no usage.
        return None
    return Usage(total, output, min(cached, total))
