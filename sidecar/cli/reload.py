"""``sidecar reload``: the running sidecar reads its config again."""

from __future__ import annotations

import argparse
import asyncio

from sidecar.cli.admin_port import Told, admin_token, admin_url, change
from sidecar.cli.config_file import read_config
from sidecar.cli.screen import plain, write_json
from sidecar.errors import ConfigError, RemoteProtocolError

# It reads files, and goes on serving meanwhile.
WAIT_S = 30.0


def reload(args: argparse.Namespace) -> int:
    """0 when it goes by the config as it is now. ConfigError: every mistake; nothing changed."""
    token, url = admin_token(read_config(args)), admin_url(args)
    told = asyncio.run(change(url, "/reload", token, WAIT_S))
    if args.json:
        write_json(told.document)
    changed = _changed(told)
    if not args.json:
        print(f"reloaded: {', '.join(map(plain, changed)) or 'nothing has changed'}")
    return 0


def _changed(told: Told) -> list[object]:
    """The paths of what is new; else a fault that says why nothing is."""
    document = told.document
    changed, errors = document.get("changed"), document.get("errors")
    match told.status:
        case 200 if isinstance(changed, list):
            return changed
        case 409 if isinstance(errors, list):
            raise ConfigError(*map(plain, errors))
        case status:
            raise RemoteProtocolError(f"the sidecar answered {status}; is it this version?")
