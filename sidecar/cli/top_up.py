"""``sidecar top-up``: credit for a route, bought now by the running sidecar, by its own rules."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sidecar.cli import exits
from sidecar.cli.admin_port import Told, admin_token, admin_url, change
from sidecar.cli.config_file import read_config
from sidecar.cli.rules import RULES
from sidecar.cli.screen import plain, working, write_json
from sidecar.errors import ConfigError, RemoteProtocolError

# Longer than any route waits for credit (top_up.wait_s), and what is asked beside.
WAIT_S = 660.0


def top_up(args: argparse.Namespace) -> int:
    """0 when it was bought; 3 when a rule refused it; 8 when nobody knows yet."""
    config, url = read_config(args), admin_url(args)
    path = f"/top-up/{quote(args.route, safe='')}"
    if args.account:
        path += f"/{quote(args.account, safe='')}"
    token = admin_token(config)
    with working(f"buying credit for {args.route}"):
        told = asyncio.run(change(url, path, token, WAIT_S))
    if args.json:
        write_json(told.document)
    status = _status(told)
    if status == exits.OK and not args.json:
        _write_bought(told.document)
    elif status != exits.OK:
        _complain(told.document)
    return status


def _status(told: Told) -> int:
    document = told.document
    match told.status:
        case 200 if "bought" in document:
            return exits.OK
        case 202 if "in_doubt" in document:
            return exits.IN_DOUBT
        case 409 if "rule" in document:
            return exits.POLICY
        case 404:
            raise ConfigError(f"top-up: {plain(document.get('error'))}")
        case 500 | 502 | 503 | 504:
            return exits.TRANSPORT
        case status:
            raise RemoteProtocolError(
                f"the sidecar answered {status} to a top-up; is it this version?"
            )


def _write_bought(document: Mapping[str, Any]) -> None:
    bought = document["bought"]
    print(f"bought: {plain(bought.get('amount'))} of credit ({plain(bought.get('id'))})")
    for held in document.get("balances", ()):
        print(f"balance: {plain(held.get('value'))} {plain(held.get('unit'))}")


def _complain(document: Mapping[str, Any]) -> None:
    print(f"sidecar: {plain(document.get('error'))}", file=sys.stderr)
    advice = RULES.get(str(document.get("rule")))
    if advice is not None:
        print(f"sidecar: rule {plain(document['rule'])}: {advice.fix}", file=sys.stderr)
