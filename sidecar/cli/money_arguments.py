"""The commands about payments, their rules and the books, as they are typed."""

from __future__ import annotations

import argparse

from sidecar.cli.arguments import Commands, add_command, add_config, add_json, add_ledger

PAYMENTS_LIMIT = 50


def add_balance(commands: Commands) -> None:
    parser = add_command(commands, "balance", "ask the chains what each wallet holds")
    add_config(parser)
    add_json(parser)


def add_payments(commands: Commands) -> None:
    parser = add_command(commands, "payments", "list the newest payments in the ledger")
    add_config(parser)
    parser.add_argument("--state-dir", metavar="DIR", help="where the ledger is kept")
    parser.add_argument("--since", metavar="DURATION", help="not older than this: 30m, 24h, 7d")
    parser.add_argument(
        "--limit", type=int, default=PAYMENTS_LIMIT, metavar="N", help="default: 50"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--csv", action="store_true", help="write CSV to stdout")
    add_json(shape)


def add_pins(commands: Commands) -> None:
    parser = add_command(
        commands, "pins", "list the payees that routes are used to, or forget them"
    )
    add_ledger(parser)
    add_json(parser)
    actions = parser.add_subparsers(dest="action", metavar="forget")
    forget = add_command(actions, "forget", "let the next payees of a route be pinned anew")
    forget.add_argument("route", metavar="ROUTE", help="whose payees are forgotten")


def add_freeze(commands: Commands) -> None:
    add_ledger(add_command(commands, "freeze", "sign no payment from now on; unpaid traffic flows"))


def add_unfreeze(commands: Commands) -> None:
    add_ledger(add_command(commands, "unfreeze", "sign payments again"))


def add_approvals(commands: Commands) -> None:
    waiting = add_command(
        commands, "approvals", "list the payments that wait for a person's approval"
    )
    add_ledger(waiting)
    add_json(waiting)


def add_approve(commands: Commands) -> None:
    _add_decided(add_command(commands, "approve", "let payments that wait be made"))


def add_refuse(commands: Commands) -> None:
    _add_decided(add_command(commands, "refuse", "let payments that wait not be made"))


def _add_decided(parser: argparse.ArgumentParser) -> None:
    add_ledger(parser)
    parser.add_argument("payments", nargs="+", metavar="PAYMENT", help="its id")


def add_reconcile(commands: Commands) -> None:
    parser = add_command(commands, "reconcile", "compare the ledger with what left each wallet")
    add_config(parser)
    parser.add_argument(
        "--hours", type=int, default=24, metavar="N", help="how far back to look; default: 24"
    )
    add_json(parser)


def add_resolve(commands: Commands) -> None:
    parser = add_command(
        commands, "resolve", "say what became of a payment that nothing else settles"
    )
    add_ledger(parser)
    add_json(parser)
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


def add_doctor(commands: Commands) -> None:
    parser = add_command(commands, "doctor", "look whether all that a config needs works")
    add_config(parser)
    parser.add_argument(
        "--sign-in",
        action="store_true",
        help="sign in at vendors that tell their balance to nobody else; no payment is signed",
    )
    add_json(parser)


def add_quote(commands: Commands) -> None:
    parser = add_command(commands, "quote", "ask what a request would cost; nothing is paid")
    add_ledger(parser)
    parser.add_argument(
        "url", metavar="URL", help="the seller's, the sidecar's, or a path of a route"
    )
    parser.add_argument("-X", "--method", metavar="METHOD", help="default: GET; with -d POST")
    parser.add_argument(
        "-d", "--data", metavar="BODY", help="the body; @FILE for what is in a file, @- for stdin"
    )
    parser.add_argument(
        "-H", "--header", action="append", default=[], metavar="NAME:VALUE", help="one more header"
    )
    parser.add_argument("--route", metavar="NAME", help="by whose rules; default: whose URL it is")
    parser.add_argument("--caller", metavar="NAME", help="whose own budgets count besides")
    add_json(parser)


def add_explain(commands: Commands) -> None:
    parser = add_command(commands, "explain", "say why something was refused, or how it was paid")
    add_ledger(parser)
    parser.add_argument("--admin", metavar="HOST:PORT", help="the running sidecar's admin address")
    parser.add_argument(
        "id",
        nargs="?",
        default="last",
        metavar="ID",
        help="of a payment or a request; default: last, what was refused last",
    )
    parser.add_argument("--rules", action="store_true", help="what each rule means, and what to do")
    add_json(parser)


def add_top_up(commands: Commands) -> None:
    parser = add_command(commands, "top-up", "buy credit for a route now, in the running sidecar")
    add_config(parser)
    parser.add_argument("--admin", metavar="HOST:PORT", help="the running sidecar's admin address")
    parser.add_argument("--state-dir", metavar="DIR", help="where its admin.token is")
    parser.add_argument("route", metavar="ROUTE", help="whose vendor sells credit")
    parser.add_argument(
        "--account", default="", metavar="NAME", help="at a vendor with several: an endpoint's slug"
    )
    add_json(parser)


def add_migrate(commands: Commands) -> None:
    add_ledger(add_command(commands, "migrate", "bring the ledger's tables up to date"))


def add_ledger_copy(commands: Commands) -> None:
    actions = add_command(commands, "ledger", "copy a ledger to another store").add_subparsers(
        dest="action", required=True, metavar="copy"
    )
    copy = add_command(actions, "copy", "copy a ledger's file into a Postgres database")
    copy.add_argument("source", metavar="FROM", help="the ledger's file, which nobody has open")
    copy.add_argument(
        "target", metavar="TO", help="where the database's URL is kept: env:NAME or file:PATH"
    )
    add_json(copy)


def add_completion(commands: Commands) -> None:
    parser = add_command(commands, "completion", "print what lets a shell complete commands")
    parser.add_argument(
        "shell", choices=("bash", "zsh", "fish", "tcsh"), help="which shell it is for"
    )
