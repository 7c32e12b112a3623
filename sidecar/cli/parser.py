"""What can be typed after ``sidecar``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from sidecar import __version__
from sidecar.cli.exits import described

PAYMENTS_LIMIT = 50

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def make_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Every command with its flags. ``args.command`` names the module that runs it.

    Where the first of ``words`` is a command, it has that one only: nothing that is then shown
    names another, and to describe them all takes as long as to read a config.
    """
    parser = argparse.ArgumentParser(
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


def _add(commands: Commands, name: str, what: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_config(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="default: $SIDECAR_CONFIG, ./sidecar.yaml, then ~/.config/sidecar/sidecar.yaml",
    )


def _add_json(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--json", action="store_true", help="write JSON to stdout")


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where apps connect; unix:/PATH for a Unix socket"
    )
    parser.add_argument("--admin", metavar="HOST:PORT", help="where health, metrics and status are")
    parser.add_argument("--auth", metavar="token|none", help="what apps have to send")
    parser.add_argument("--mode", metavar="live|shadow", help="shadow: sign nothing, only rehearse")
    parser.add_argument("--state-dir", metavar="DIR", help="where ledger and tokens are kept")
    parser.add_argument("--log-format", metavar="auto|json|console")
    parser.add_argument("--log-level", metavar="debug|info|warning|error")


def _add_run(commands: Commands) -> None:
    parser = _add(commands, "run", "serve until told to stop")
    _add_config(parser)
    _add_overrides(parser)


def _add_check(commands: Commands) -> None:
    parser = _add(commands, "check", "show what a config means, or every mistake in it")
    _add_config(parser)
    _add_overrides(parser)
    _add_json(parser)


def _add_status(commands: Commands) -> None:
    parser = _add(commands, "status", "ask the running sidecar how it is")
    _add_config(parser)
    parser.add_argument("--admin", metavar="HOST:PORT", help="its admin address")
    _add_json(parser)


def _add_balance(commands: Commands) -> None:
    parser = _add(commands, "balance", "ask the chains what each wallet holds")
    _add_config(parser)
    _add_json(parser)


def _add_payments(commands: Commands) -> None:
    parser = _add(commands, "payments", "list the newest payments in the ledger")
    _add_config(parser)
    parser.add_argument("--state-dir", metavar="DIR", help="where the ledger is kept")
    parser.add_argument("--since", metavar="DURATION", help="not older than this: 30m, 24h, 7d")
    parser.add_argument(
        "--limit", type=int, default=PAYMENTS_LIMIT, metavar="N", help="default: 50"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--csv", action="store_true", help="write CSV to stdout")
    _add_json(shape)


def _add_pins(commands: Commands) -> None:
    parser = _add(commands, "pins", "list the payees that routes are used to, or forget them")
    _add_ledger(parser)
    _add_json(parser)
    actions = parser.add_subparsers(dest="action", metavar="forget")
    forget = _add(actions, "forget", "let the next payees of a route be pinned anew")
    forget.add_argument("route", metavar="ROUTE")


def _add_freeze(commands: Commands) -> None:
    _add_ledger(_add(commands, "freeze", "sign no payment from now on; unpaid traffic flows"))


def _add_unfreeze(commands: Commands) -> None:
    _add_ledger(_add(commands, "unfreeze", "sign payments again"))


def _add_approvals(commands: Commands) -> None:
    waiting = _add(commands, "approvals", "list the payments that wait for a person's approval")
    _add_ledger(waiting)
    _add_json(waiting)


def _add_approve(commands: Commands) -> None:
    _add_decided(_add(commands, "approve", "let payments that wait be made"))


def _add_refuse(commands: Commands) -> None:
    _add_decided(_add(commands, "refuse", "let payments that wait not be made"))


def _add_decided(parser: argparse.ArgumentParser) -> None:
    _add_ledger(parser)
    parser.add_argument("payments", nargs="+", metavar="PAYMENT", help="its id")


def _add_ledger(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument("--state-dir", metavar="DIR", help="where the ledger is kept")


def _add_reconcile(commands: Commands) -> None:
    parser = _add(commands, "reconcile", "compare the ledger with what left each wallet")
    _add_config(parser)
    parser.add_argument(
        "--hours", type=int, default=24, metavar="N", help="how far back to look; default: 24"
    )
    _add_json(parser)


def _add_resolve(commands: Commands) -> None:
    parser = _add(commands, "resolve", "say what became of a payment that nothing else settles")
    _add_ledger(parser)
    _add_json(parser)
    parser.add_argument("payment", metavar="PAYMENT", help="its id")
    words = parser.add_mutually_exclusive_group(required=True)
    for word, what in (
        ("posted", "of one in doubt: it was paid"),
        ("voided", "of one in doubt that expired over an hour ago: it was never paid"),
        ("credited", "of a top-up that is unproven: the vendor gave the credit"),
        ("lost", "of a top-up that is unproven: the vendor never gave the credit"),
    ):
        words.add_argument(
            f"--{word}", action="store_const", const=word, dest="resolution", help=what
        )
    parser.add_argument("--transaction", metavar="HASH", help="in which it was paid")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _add_wallet(commands: Commands) -> None:
    actions = _add(commands, "wallet", "make, import or look at a key").add_subparsers(
        dest="action", required=True, metavar="new|import|address"
    )
    new = _add(actions, "new", "make a key, write it to a file, and show its address")
    imported = _add(actions, "import", "write a key to a file, and show its address")
    imported.add_argument(
        "--from-file", metavar="FILE", help="the key; without it, stdin is read, unseen"
    )
    for parser in (new, imported):
        parser.add_argument("--out", required=True, metavar="FILE", help="0600, never replaced")
        parser.add_argument("--keystore", action="store_true", help="encrypt it with a password")
    address = _add(actions, "address", "show the address of each wallet, or of a key file")
    source = address.add_mutually_exclusive_group()
    _add_config(source)
    source.add_argument("--key-file", metavar="FILE")
    address.add_argument("--keystore", action="store_true", help="the key file is a keystore")
    for parser in (new, imported, address):
        parser.add_argument(
            "--kind", choices=("evm", "solana"), default="evm", help="of the key; default: evm"
        )
        parser.add_argument("--password-file", metavar="FILE", help="without it, it is asked for")
        _add_json(parser)


def _add_signer(commands: Commands) -> None:
    parser = _add(commands, "signer", "keep a wallet's key in a process of its own, with rules")
    parser.add_argument("--socket", required=True, metavar="PATH", help="where to listen")
    parser.add_argument("--rules", required=True, metavar="FILE", help="what may be signed: JSON")


def _add_sandbox(commands: Commands) -> None:
    parser = _add(commands, "sandbox", "run a seller to rehearse with; no real money")
    parser.add_argument("--listen", default="127.0.0.1:4020", metavar="HOST:PORT")
    parser.add_argument("--price", default="0.01 USDC", metavar="AMOUNT", help="of one call")
    parser.add_argument(
        "--version", type=int, choices=(1, 2), default=2, dest="x402_version", help="of x402"
    )


def _add_demo(commands: Commands) -> None:
    _add(commands, "demo", "a seller, the sidecar and paid calls on one screen; no money")


# In the order in which ``--help`` lists them.
_COMMANDS: Mapping[str, Callable[[Commands], None]] = MappingProxyType(
    {
        "run": _add_run,
        "check": _add_check,
        "status": _add_status,
        "balance": _add_balance,
        "payments": _add_payments,
        "reconcile": _add_reconcile,
        "resolve": _add_resolve,
        "pins": _add_pins,
        "freeze": _add_freeze,
        "unfreeze": _add_unfreeze,
        "approvals": _add_approvals,
        "approve": _add_approve,
        "refuse": _add_refuse,
        "wallet": _add_wallet,
        "signer": _add_signer,
        "sandbox": _add_sandbox,
        "demo": _add_demo,
    }
)
