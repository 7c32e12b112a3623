"""The proxy, with an app and an upstream that speak in bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.world.plain_proxy import Plain, plain_proxy
from tests.world.raw_upstream import End, RawUpstream, raw_app, raw_upstream


@asynccontextmanager
async def between(**how: Any) -> AsyncIterator[tuple[Plain, RawUpstream]]:
    """The proxy, as ``plain_proxy`` makes it, and the upstream behind it."""
    async with (
        raw_upstream() as upstream,
        plain_proxy(web.Application(), upstream_port=upstream.port, **how) as world,
    ):
        yield world, upstream


@asynccontextmanager
async def scene(**how: Any) -> AsyncIterator[tuple[Plain, RawUpstream, End]]:
    """Both, and a connection of an app."""
    async with between(**how) as (world, upstream), raw_app(world.port) as app:
        yield world, upstream, app
