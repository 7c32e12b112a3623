"""``sidecar run``: serve until told to stop; ``run -- CMD``: serve one command until it ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sidecar.cli.config_file import ConfigFile, config_file
from sidecar.cli.screen import plain
from sidecar.errors import ConfigError
from sidecar.service import run as serve
from sidecar.service.post import take_post

if TYPE_CHECKING:
    import argparse

END_OF_FLAGS = "--"


def run(args: argparse.Namespace) -> int:
    """0 when it ended as asked; behind ``--``, the status of the command."""
    words = _words(args)
    if not words:
        return _serve(config_file(args))
    # Not for those who only serve.
    from sidecar.cli.job import job  # noqa: PLC0415 - see above

    return job(args, words)


def _serve(file: ConfigFile) -> int:
    post = take_post(os.environ)
    if post is not None:
        from sidecar.service.worker import work  # noqa: PLC0415 - not for who serves alone

        return work(post, file.parse, os.environ)
    text = file.text()
    config = file.parse(text, os.environ)
    if config.workers > 1:
        from sidecar.service.keeping import keep  # noqa: PLC0415 - not for who serves alone

        return keep(text, file.text, file.parse, os.environ)
    return serve(config, os.environ, read=file.read)


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
