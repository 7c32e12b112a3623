"""The command ``sidecar``: one file for each of its commands.

JSON goes to stdout with ``--json``; diagnostics go to stderr; tables and colour are for a
terminal. A fault that is expected ends in one line and a documented status, never a traceback.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from sidecar.cli import exits
from sidecar.cli.plain_run import plain_run
from sidecar.config.own_memory import close_memory
from sidecar.errors import ConfigError, SidecarError

if TYPE_CHECKING:
    import argparse


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit status; SystemExit for ``--help`` and wrong usage."""
    if not __debug__:
        print("sidecar: assertions guard the money; start Python without -O", file=sys.stderr)
        return exits.USAGE
    words = sys.argv[1:] if argv is None else argv
    args = plain_run(words) or _parsed(words)
    # Many commands open a key.
    close_memory()
    try:
        status = _command(args.command)(args)
        sys.stdout.flush()
        return status
    except ConfigError as fault:
        print(*fault.mistakes, sep="\n", file=sys.stderr)
        return exits.USAGE
    except SidecarError as fault:
        print(f"sidecar: {fault.diagnostics()}", file=sys.stderr)
        return exits.exit_of(fault)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, such as head, has what it wanted; the interpreter must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    from sidecar.cli.parser import make_parser  # noqa: PLC0415 - most starts need none

    return make_parser(words).parse_args(words)


def _command(name: str) -> Callable[..., int]:
    module = name.replace("-", "_")
    # Imported for its own command only: some take a while. What is imported stays, so it is not
    # searched for garbage while it comes, nor ever after.
    gc.disable()
    command: Callable[..., int] = getattr(import_module(f"sidecar.cli.{module}"), module)
    gc.freeze()
    gc.enable()
    return command
