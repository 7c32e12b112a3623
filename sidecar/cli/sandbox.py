"""``sidecar sandbox``: a seller to rehearse with."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.addresses import Address
from sidecar.errors import ConfigError
from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions, serve


def sandbox(args: argparse.Namespace) -> int:
    """0 when it was told to stop."""
    try:
        address = Address.parse(args.listen)
    except ValueError as fault:
        raise ConfigError(f"--listen: {fault}") from fault
    try:
        options = SandboxOptions(price=Usdc.parse(args.price), x402_version=args.x402_version)
    except ValueError as fault:
        raise ConfigError(f"--price: {fault}") from fault
    # Ended like by Ctrl-C: what runs is cancelled, and cleans up. A shell starts its background
    # jobs deaf to SIGINT, so passing the signal on would not do.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = serve(
        options, address.host, address.port, SystemClock(), SystemEntropy(), announce=_say
    )
    try:
        asyncio.run(running)
    except KeyboardInterrupt:
        pass
    except OSError as fault:
        # A host that has no address comes with a number of its own kind, below zero.
        number = fault.errno or 0
        reason = os.strerror(number).lower() if number > 0 else "no such host"
        raise ConfigError(f"--listen: {address}: {reason}; name another address") from fault
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
