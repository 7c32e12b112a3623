"""``sidecar resolve``: a person says what became of a payment that nothing else settles.

The chain is asked first, where there is an endpoint, and what it says counts. The sidecar may run
or not: what is said here holds there from its next look on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pwd
import re
import sys
from datetime import datetime

from sidecar.chains import is_evm
from sidecar.cli import exits
from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk, require_ledger
from sidecar.cli.dialogue import dialogue
from sidecar.cli.payments import row_of
from sidecar.cli.screen import plain, write_json
from sidecar.clock import SystemClock
from sidecar.config.model import Config
from sidecar.errors import ConfigError, SidecarError
from sidecar.ledger.model import Payment, Proof
from sidecar.ledger.resolutions import Resolution, objection
from sidecar.payments.evidence import Finding, Unknown
from sidecar.payments.prover import Chain, bytes_max, examination
from sidecar.payments.testimony import weigh_posted, weigh_voided
from sidecar.refusal import Denied

CHAIN_WAIT_S = 60.0

_EVM_TRANSACTION = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_SOLANA_TRANSACTION = re.compile(r"[1-9A-HJ-NP-Za-km-z]{64,88}", re.ASCII)
_UNDECIDED = frozenset({"held", "chain_undecided"})
_CONSEQUENCES = {
    Resolution.POSTED: "It counts as spent, for good.",
    Resolution.VOIDED: "Its amount is free to be spent again, for good. If it did move after all, "
    "the wallet has less than the books say.",
    Resolution.CREDITED: "The top-up is complete, and others are bought when they are needed.",
    Resolution.LOST: "The top-up is closed as paid for nothing, and others are bought when they "
    "are needed: from the same vendor.",
}


def resolve(args: argparse.Namespace) -> int:
    """0 when it is settled; 3 when it may not be, 8 when it cannot be told yet."""
    config, resolution = read_config(args), Resolution(args.resolution)
    desk = open_desk(config, os.environ)
    require_ledger(desk)
    found = desk.find(args.payment)
    if found is None:
        raise ConfigError(
            f"payment: there is no {plain(args.payment)} in {desk.place}; `sidecar payments` "
            "lists them"
        )
    payment = found.payment
    transaction = _transaction(args, payment)
    denied = objection(payment, resolution, found.held, SystemClock().now())
    proof = denied or asyncio.run(_weigh(config, payment, resolution, transaction))
    if isinstance(proof, Denied):
        return _refuse(payment, proof)
    if not args.yes:
        _confirm(payment, resolution, proof)
    by = _user()
    settled = desk.resolve(payment.id, resolution, proof, by, SystemClock().now())
    if isinstance(settled, Denied):
        return _refuse(payment, settled)
    if args.json:
        write_json(row_of(settled, by))
    else:
        print(f"{resolution}: {plain(settled.id)}, {settled.amount}, as {by} says")
    return exits.OK


def _transaction(args: argparse.Namespace, payment: Payment) -> str:
    told: str = args.transaction or ""
    if told and args.resolution != Resolution.POSTED:
        raise ConfigError("--transaction: only what was posted has one; use it with --posted")
    grammar = _EVM_TRANSACTION if is_evm(payment.network) else _SOLANA_TRANSACTION
    if told and grammar.fullmatch(told) is None:
        raise ConfigError(f"--transaction: no transaction of {payment.network}: {plain(told)}")
    return told


async def _weigh(
    config: Config, payment: Payment, resolution: Resolution, transaction: str
) -> Proof | Denied:
    """What speaks for it, once the chain was heard."""
    match resolution:
        case Resolution.POSTED:
            return weigh_posted(transaction, await _findings(config, payment))
        case Resolution.VOIDED:
            return weigh_voided(await _findings(config, payment))
        case Resolution.CREDITED | Resolution.LOST:
            # Its transfer was posted before, and what the vendor gave is on no chain.
            return Proof("person")


async def _findings(config: Config, payment: Payment) -> list[Finding]:
    """What each endpoint says; one that failed says nothing, and is told of."""
    chain = config.chains.get(payment.network)
    if chain is None:
        return []
    asked = Chain(chain.network, chain.rpc, chain.finality)
    findings: list[Finding] = []
    async with dialogue(chain.rpc) as talk:
        for url in chain.rpc:
            try:
                finding = await talk.hold(
                    examination(url, payment, asked), bytes_max(chain.network), CHAIN_WAIT_S
                )
            except SidecarError as fault:
                finding = Unknown(fault.diagnostics())
            findings.append(finding)
    return findings


def _refuse(payment: Payment, denied: Denied) -> int:
    print(f"sidecar: payment {plain(payment.id)}: {plain(denied.detail)}", file=sys.stderr)
    return exits.IN_DOUBT if denied.rule in _UNDECIDED else exits.POLICY


def _confirm(payment: Payment, resolution: Resolution, proof: Proof) -> None:
    """ConfigError unless a person at the terminal says yes."""
    if not sys.stdin.isatty():
        raise ConfigError("resolve: no terminal to ask on; --yes says it without being asked")
    assert payment.authorization is not None
    lines = {
        "payment": payment.id,
        "state": payment.state,
        "amount": payment.amount,
        "to": payment.pay_to,
        "network": payment.network,
        "for": f"{payment.purpose} of route {payment.route}, by {payment.caller or 'nobody'}",
        "reserved": _time(payment.reserved_at),
        "valid before": _time(payment.authorization.expires_at),
        "on the word of": "you" if proof.kind == "person" else f"its chain ({proof.kind})",
    }
    for name, value in lines.items():
        print(f"{name:>15}  {plain(value)}", file=sys.stderr)
    print(_CONSEQUENCES[resolution], file=sys.stderr)
    print(f"Is it {resolution}? Type yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise ConfigError("resolve: not confirmed; nothing was changed")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _user() -> str:
    """Who runs this command; a user without a name has a number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
