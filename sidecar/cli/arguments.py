"""What several commands take, described once."""

from __future__ import annotations

import argparse
from typing import TypeAlias

from sidecar.cli.exits import described

Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"


class CommandParser(argparse.ArgumentParser):
    """The parser of one command, whose manual page is loaded once somebody asks for it."""

    def format_help(self) -> str:
        from sidecar.cli.manual import page_of  # noqa: PLC0415 - a command that runs shows none

        page = page_of(self.prog.partition(" ")[2])
        if page is not None:
            self.description, self.epilog = page.description(), page.epilog()
        return super().format_help()


def add_command(commands: Commands, name: str, what: str) -> CommandParser:
    return commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_config(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="default: $SIDECAR_CONFIG, ./sidecar.yaml, then ~/.config/sidecar/sidecar.yaml",
    )


def add_json(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--json", action="store_true", help="write JSON to stdout")


def add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where apps connect; unix:/PATH for a Unix socket"
    )
    parser.add_argument("--admin", metavar="HOST:PORT", help="where health, metrics and status are")
    parser.add_argument("--auth", metavar="token|none", help="what apps have to send")
    parser.add_argument("--mode", metavar="live|shadow", help="shadow: sign nothing, only rehearse")
    parser.add_argument("--state-dir", metavar="DIR", help="where ledger and tokens are kept")
    parser.add_argument("--workers", metavar="N", help="processes that serve; default: 1")
    parser.add_argument(
        "--log-format", metavar="auto|json|console", help="auto: JSON off a terminal"
    )
    parser.add_argument(
        "--log-level", metavar="debug|info|warning|error", help="of the log; default: info"
    )


def add_ledger(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--state-dir", metavar="DIR", help="where the ledger is kept")
