"""``sidecar health``: whether the running sidecar answers; for those who ask every few seconds.

It loads neither the HTTP client nor, where ``SIDECAR_ADMIN`` says the address, the config: `status`
takes a second of CPU on a small machine, and this a fifth of it.
"""

from __future__ import annotations

import argparse
import os
from http.client import HTTPConnection, HTTPException

from sidecar.config.addresses import ADMIN, Address
from sidecar.errors import ConfigError, UpstreamError

PATH = "/livez"
WAIT_S = 5.0


def health(args: argparse.Namespace) -> int:
    """0 when it answers, frozen or not; UpstreamError when it does not."""
    address = _address(args)
    called = address.callable
    connection = HTTPConnection(called.host, called.port, timeout=WAIT_S)
    try:
        connection.request("GET", PATH)
        status = connection.getresponse().status
    except (OSError, HTTPException) as fault:
        raise UpstreamError(f"no sidecar answers at http://{address}{PATH}") from fault
    finally:
        connection.close()
    if status != 200:
        raise UpstreamError(f"http://{address}{PATH} answered {status}")
    return 0


def _address(args: argparse.Namespace) -> Address:
    """The flag, else the variable, else what a config says, else where it usually is."""
    text = args.admin or os.environ.get("SIDECAR_ADMIN")
    if not text:
        # Not where the address is known: to read a config takes as long as all the rest.
        from sidecar.cli.config_file import has_config, read_config  # noqa: PLC0415 - see above

        return read_config(args).admin if has_config(args) else ADMIN
    try:
        return Address.parse(text)
    except ValueError as fault:
        raise ConfigError(f"--admin: {fault}") from fault
