"""``sidecar status``: what the running sidecar says about itself on its admin port."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Generator, Mapping
from typing import Any

from sidecar.cli.config_file import has_config, read_config
from sidecar.cli.dialogue import dialogue
from sidecar.cli.screen import plain, write_json, write_table
from sidecar.config.addresses import ADMIN, Address
from sidecar.errors import (
    ConfigError,
    LedgerError,
    RemoteProtocolError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sidecar.http import HttpRequest, HttpResponse

STATUS_BYTES_MAX = 4 * 1024 * 1024
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - left for what can be called

# What fits on a terminal; everything is in the JSON.
_ROWS_OF_PAYMENTS = frozenset({"payments", "in_doubt"})
_SHOWN = frozenset(
    {"id", "state", "route", "caller", "amount", "proof", "reserved_at", "expires_at"}
)


def status(args: argparse.Namespace) -> int:
    """0 when it could say how it is; LedgerError when it cannot read its books."""
    address = _admin(args)
    url = f"http://{Address(EVERYWHERE.get(address.host, address.host), address.port)}/status"
    answer = asyncio.run(_ask(url))
    if args.json:
        write_json(answer)
    else:
        _show(answer)
    wrong = answer.get("error")
    if wrong is not None:
        raise LedgerError(f"{url}: {plain(wrong)}")
    return 0


def _admin(args: argparse.Namespace) -> Address:
    """The flag; else what a config says; else the variable; else where it is by default."""
    if args.admin is None and has_config(args):
        return read_config(args).admin
    text = args.admin or os.environ.get("SIDECAR_ADMIN") or str(ADMIN)
    try:
        return Address.parse(text)
    except ValueError as fault:
        raise ConfigError(f"--admin: {fault}") from fault


async def _ask(url: str) -> Mapping[str, Any]:
    async with dialogue([url]) as talk:
        try:
            return await talk.hold(_status(url), STATUS_BYTES_MAX)
        except UpstreamTimeoutError:
            raise
        except UpstreamError as fault:
            raise UpstreamError(
                f"no sidecar answers at {url}; start one with: sidecar run, or name another with "
                "--admin HOST:PORT"
            ) from fault


def _status(url: str) -> Generator[HttpRequest, HttpResponse, Mapping[str, Any]]:
    response = yield HttpRequest("GET", url, (("Accept", "application/json"),))
    if response.status not in {200, 503}:
        raise RemoteProtocolError(f"{url} answered {response.status}; is it a sidecar?")
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise RemoteProtocolError(f"{url} did not answer with a JSON object; is it a sidecar?")
    return answer


def _show(answer: Mapping[str, Any]) -> None:
    """Plain values first, then a table for each collection, so that additions show as well."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for key, value in answer.items():
        rows = _rows(value)
        if rows is None:
            print(f"{plain(key):12}{plain(value)}")
        elif rows:
            tables[key] = rows
    for key, rows in tables.items():
        names = dict.fromkeys(name for row in rows for name in row)
        header = [name for name in names if key not in _ROWS_OF_PAYMENTS or name in _SHOWN]
        print(f"\n{plain(key)}")
        write_table(
            [plain(name).upper() for name in header],
            [[row.get(name) for name in header] for row in rows],
        )


def _rows(value: object) -> list[dict[str, Any]] | None:
    """The rows of a collection; None for what is a plain value."""
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    if isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
        return [{"name": name, **item} for name, item in value.items()]
    return None
