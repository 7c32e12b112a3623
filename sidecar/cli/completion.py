"""``sidecar completion``: the script by which a shell completes commands, flags and files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

from sidecar.cli import exits
from sidecar.cli.parser import make_parser

# The attribute of an argument by which the library knows what a shell offers for it.
ATTRIBUTE = "complete"
# That, for arguments that are shown so in the usage.
_OFFERED = {"FILE": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY}


def completion(args: argparse.Namespace) -> int:
    """0: the script is on stdout."""
    parser = make_parser()
    for action in _actions(parser):
        offered = _OFFERED.get(str(action.metavar))
        if offered is not None:
            setattr(action, ATTRIBUTE, offered)
    print(shtab.complete(parser, shell=args.shell))
    return exits.OK


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of every command."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
