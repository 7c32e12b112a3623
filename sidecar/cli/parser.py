"""What can be typed after ``sidecar``."""

from __future__ import annotations

import argparse

from sidecar import __version__
from sidecar.cli.exits import described

PAYMENTS_LIMIT = 50
PAYMENTS_LIMIT_MAX = 100_000


def make_parser() -> argparse.ArgumentParser:
    """Every command with its flags. ``args.command`` names the module that runs it."""
    parser = argparse.ArgumentParser(
        prog="sidecar",
        description="A local reverse proxy that lets any unmodified app pay over HTTP 402 (x402).",
        epilog=described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sidecar {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_check(commands)
    _add_status(commands)
    _add_balance(commands)
    _add_payments(commands)
    _add_wallet(commands)
    _add_sandbox(commands)
    _add(commands, "demo", "a seller, the sidecar and paid calls on one screen; no money")
    return parser


_Commands = argparse._SubParsersAction  # its only name  # noqa: SLF001


def _add(commands: _Commands[argparse.ArgumentParser], name: str, what: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
