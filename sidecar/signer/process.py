"""The signer's process, from its arguments to its last answer."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import field
from pathlib import Path

from sidecar.clock import Clock, SystemClock
from sidecar.config.private_file import read_private
from sidecar.errors import ConfigError
from sidecar.signer.books import Books
from sidecar.signer.door import open_door, serve
from sidecar.signer.hardening import forget_environment, harden
from sidecar.signer.journal import Journal, Record
from sidecar.signer.key import open_wallet
from sidecar.signer.rules import RULES_BYTES_MAX, read_rules
from sidecar.signer.signer import Signer
from sidecar.values import dataclass

USAGE = 2


@dataclass(frozen=True, slots=True)
class Ports:
    """What a test replaces: the time, and what is around the journal."""

    clock: Clock = field(default_factory=SystemClock)
    wrap_journal: Callable[[Record], Record] = lambda journal: journal


def main(argv: Sequence[str], environ: MutableMapping[str, str], ports: Ports | None = None) -> int:
    """Serve until SIGTERM or SIGINT. The exit status: 0, or 2 for what is wrong with the rules."""
    if not __debug__:
        print("signer: assertions guard the money; start Python without -O", file=sys.stderr)
        return USAGE
    parser = argparse.ArgumentParser(
        "sidecar.signer", description="Keeps a key, and signs by rules"
    )
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--rules", type=Path, required=True, help="what may be signed: JSON")
    given = parser.parse_args(argv)
    return run(given.socket, given.rules, environ, ports)


def run(
    path: Path, rules: Path, environ: MutableMapping[str, str], ports: Ports | None = None
) -> int:
    """The same, at this socket and by these rules."""
    try:
        _serve(path, rules, environ, ports or Ports())
    except ConfigError as fault:
        print(*(f"signer: {mistake}" for mistake in fault.mistakes), sep="\n", file=sys.stderr)
        return USAGE
    return 0


def _serve(path: Path, rules_path: Path, environ: MutableMapping[str, str], ports: Ports) -> None:
    harden()
    rules = read_rules(read_private(rules_path, RULES_BYTES_MAX))
    wallet = open_wallet(rules.kind, rules.key, environ)
    forget_environment(environ)
    journal = Journal.open(rules.journal)
    signer = Signer(
        rules, wallet, Books(rules.caps, journal.entries), ports.wrap_journal(journal), ports.clock
    )
    own = os.geteuid()
    user = own if rules.peer_user is None else rules.peer_user
    listener = open_door(path, peer_is_other=user != own)
    # An interrupt in the midst of a request leaves what a crash leaves, which is provided for.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    print(f"signer: {wallet.address} on {path}", file=sys.stderr, flush=True)
    try:
        serve(listener, signer.answer, user, ports.clock)
    except _Leave:
        pass
    finally:
        listener.close()
        journal.close()
        path.unlink(missing_ok=True)


class _Leave(Exception):
    """Somebody asked us to end."""


def _leave(_number: int, _frame: object) -> None:
    raise _Leave
