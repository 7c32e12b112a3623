"""The running sidecar, as a command asks it: on its admin port."""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator, Mapping
from typing import Any

from sidecar.cli.config_file import has_config, read_config
from sidecar.cli.dialogue import WAIT_S, dialogue
from sidecar.cli.screen import plain
from sidecar.config.addresses import ADMIN, Address
from sidecar.config.model import Config, SecretKind, SecretRef
from sidecar.config.secrets import ADMIN_TOKEN_FILE, open_secret
from sidecar.document import read_json
from sidecar.errors import (
    ConfigError,
    RemoteProtocolError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sidecar.http import HttpRequest, HttpResponse
from sidecar.values import dataclass

ANSWER_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """What the admin port answered: always a JSON object."""

    status: int
    document: Mapping[str, Any]


def admin_url(args: argparse.Namespace) -> str:
    """Where it is: as the flag says; else a config; else the variable; else where it usually is."""
    if args.admin is None and has_config(args):
        return url_of(read_config(args).admin)
    text = args.admin or os.environ.get("SIDECAR_ADMIN") or str(ADMIN)
    try:
        return url_of(Address.parse(text))
    except ValueError as fault:
        raise ConfigError(f"--admin: {fault}") from fault


def admin_token(config: Config) -> str:
    """The running sidecar's own. ConfigError when it is not there, or not ours to read."""
    path = config.state_dir / ADMIN_TOKEN_FILE
    return open_secret(SecretRef(SecretKind.FILE, str(path)), {}).reveal()


def url_of(address: Address) -> str:
    """Where this address can be called: one that means everywhere is also here."""
    return f"http://{address.callable}"


async def ask_admin(url: str, path: str, *, token: str = "", wait_s: float = WAIT_S) -> Told:
    """Ask; with the admin's token, change something.

    UpstreamError says how to start one where nothing answers, RemoteProtocolError that what does
    is no sidecar.
    """
    async with dialogue([url], wait_s) as talk:
        try:
            return await talk.hold(_asking(f"{url}{path}", token), ANSWER_BYTES_MAX, wait_s)
        except UpstreamTimeoutError:
            raise
        except UpstreamError as fault:
            raise UpstreamError(
                f"no sidecar answers at {url}; start one with: sidecar run, or name another with "
                "--admin HOST:PORT"
            ) from fault


async def change(url: str, path: str, token: str, wait_s: float) -> Told:
    """Have something changed, with the admin's token.

    As ``ask_admin``, and ConfigError where the token is none of this sidecar's.
    """
    told = await ask_admin(url, path, token=token, wait_s=wait_s)
    if told.status in {401, 403}:
        what, said = path.split("/")[1], plain(told.document.get("error"))
        raise ConfigError(f"{what}: {said}; is it this state folder's?")
    return told


def _asking(url: str, token: str) -> Generator[HttpRequest, HttpResponse, Told]:
    headers = (("Accept", "application/json"),)
    if token:
        request = HttpRequest("POST", url, (*headers, ("Authorization", f"Bearer {token}")))
    else:
        request = HttpRequest("GET", url, headers)
    response = yield request
    try:
        document = read_json(response.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RemoteProtocolError(f"{url} did not answer with a JSON object; is it a sidecar?")
    return Told(response.status, document)
