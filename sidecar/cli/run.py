"""``sidecar run``: serve until told to stop; ``run -- CMD``: serve one command until it ends."""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import config_reader
from sidecar.cli.screen import plain
from sidecar.errors import ConfigError
from sidecar.service import run as serve

END_OF_FLAGS = "--"


def run(args: argparse.Namespace) -> int:
    """0 when it ended as asked; behind ``--``, the status of the command."""
    words = _words(args)
    if not words:
        read = config_reader(args)
        return serve(read(os.environ), os.environ, read=read)
    # Not for those who only serve.
    from sidecar.cli.job import job  # noqa: PLC0415 - see above

    return job(args, words)


def _words(args: argparse.Namespace) -> list[str]:
    """The command behind ``--``, and what it is given; empty where there is none."""
    if not args.words:
        for name in ("budget", "receipt"):
            if getattr(args, name) is not None:
                raise ConfigError(f"--{name}: only with a command: sidecar run -- CMD")
        return []
    words: list[str] = args.words
    first, *rest = words
    if first != END_OF_FLAGS:
        raise ConfigError(f"{plain(first)}: no flag; put -- before a command: sidecar run -- CMD")
    if not rest:
        raise ConfigError("--: no command; name one: sidecar run -- CMD")
    return rest
