"""The ways in which an app tries, each of them the stock OpenAI client, unmodified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import httpx2
import openai

from tests.world.running import TOKEN

SERVED = 200
# What is heard where the answer broke off, or came to an end before it was whole.
BROKEN = 0
CLIENT_WAIT_S = 60
TRIES = 3

# One call, streamed or not: whether its answer was whole.
Ask: TypeAlias = Callable[[openai.AsyncOpenAI, bool], Awaitable[bool]]


class Way(StrEnum):
    """How an app tries."""

    ONE_TRY = "1 try"
    THREE_TRIES = "3 tries"  # whatever fails, but for what says that it must not be
    STOCK = "stock"  # the client as it comes, which tries some things again by itself
    SSE = "SSE"  # the same, streaming
    SSE_THREE_TRIES = "SSE, 3 tries"

    @property
    def streams(self) -> bool:
        return self in {Way.SSE, Way.SSE_THREE_TRIES}

    @property
    def tries(self) -> int:
        return TRIES if self in {Way.THREE_TRIES, Way.SSE_THREE_TRIES} else 1

    @property
    def client_retries(self) -> int:
        """What the client itself tries again; its own default where an app leaves it alone."""
        return openai.DEFAULT_MAX_RETRIES if self in {Way.STOCK, Way.SSE} else 0


def chat(model: str, content: str) -> Ask:
    """A chat completion; the answer to it ends with what was said."""

    async def ask(client: openai.AsyncOpenAI, stream: bool) -> bool:
        create: Any = client.chat.completions.create
        messages = [{"role": "user", "content": content}]
        answer = await create(model=model, messages=messages, stream=stream)
        if not stream:
            return bool(answer.choices[0].message.content.endswith(content))
        heard = [choice.delta.content or "" async for each in answer for choice in each.choices]
        return "".join(heard).endswith(content)

    return ask


def post(path: str, document: Mapping[str, str]) -> Ask:
    """A call of something that OpenAI does not have, by the same client. It has no stream."""

    async def ask(client: openai.AsyncOpenAI, stream: bool) -> bool:
        assert not stream
        answer = await client.post(path, body=dict(document), cast_to=dict[str, Any])
        return bool(answer)

    return ask


async def tried(way: Way, base_url: str, ask: Ask, query: Mapping[str, str]) -> int:
    """What an app that tries in this way ends up with: a status, or BROKEN."""
    status = BROKEN
    for _ in range(way.tries):
        status, final = await _once(way, base_url, ask, query)
        if final:
            break
    return status


async def _once(way: Way, base_url: str, ask: Ask, query: Mapping[str, str]) -> tuple[int, bool]:
    """The status, and whether there is nothing left to try."""
    client = openai.AsyncOpenAI(
        base_url=base_url,
        api_key=TOKEN,
        max_retries=way.client_retries,
        timeout=CLIENT_WAIT_S,
        default_query=query,
    )
    async with client:
        try:
            whole = await ask(client, way.streams)
        except openai.APIStatusError as refusal:
            final = refusal.response.headers.get("x-should-retry") == "false"
            return refusal.status_code, final
        except (openai.APIConnectionError, httpx2.HTTPError):
            return BROKEN, False
        return (SERVED, True) if whole else (BROKEN, False)
