"""What can be typed after ``sidecar``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sidecar import __version__
from sidecar.cli import money_arguments as money
from sidecar.cli import serving_arguments as serving
from sidecar.cli.arguments import CommandParser, Commands
from sidecar.cli.exits import described


def make_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Every command with its flags. ``args.command`` names the module that runs it.

    Where the first of ``words`` is a command, it has that one only: nothing that is then shown
    names another, and to describe them all takes as long as to read a config.
    """
    parser = CommandParser(
        prog="sidecar",
        description="A local reverse proxy that lets any unmodified app pay over HTTP 402 (x402).",
        epilog=described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sidecar {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = words[0] if words and words[0] in _COMMANDS else None
    for name, add in _COMMANDS.items():
        if asked in {None, name}:
            add(commands)
    return parser


# In the order in which ``--help`` lists them.
_COMMANDS: Mapping[str, Callable[[Commands], None]] = MappingProxyType(
    {
        "init": serving.add_init,
        "run": serving.add_run,
        "check": serving.add_check,
        "schema": serving.add_schema,
        "status": serving.add_status,
        "health": serving.add_health,
        "reload": serving.add_reload,
        "doctor": money.add_doctor,
        "balance": money.add_balance,
        "payments": money.add_payments,
        "quote": money.add_quote,
        "explain": money.add_explain,
        "top-up": money.add_top_up,
        "reconcile": money.add_reconcile,
        "resolve": money.add_resolve,
        "pins": money.add_pins,
        "freeze": money.add_freeze,
        "unfreeze": money.add_unfreeze,
        "approvals": money.add_approvals,
        "approve": money.add_approve,
        "refuse": money.add_refuse,
        "migrate": money.add_migrate,
        "ledger": money.add_ledger_copy,
        "wallet": serving.add_wallet,
        "signer": serving.add_signer,
        "sandbox": serving.add_sandbox,
        "demo": serving.add_demo,
        "completion": money.add_completion,
    }
)
