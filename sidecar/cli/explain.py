"""``sidecar explain``: why something was refused, or what became of a payment.

Refusals are remembered by the running sidecar, payments by the ledger, which is read whether one
runs or not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.cli import exits
from sidecar.cli.admin_port import admin_url, ask_admin
from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk
from sidecar.cli.payments import row_of
from sidecar.cli.rules import RULES, advise, rule_of
from sidecar.cli.screen import plain, utc, write_json
from sidecar.cli.story import outcome, sentence
from sidecar.errors import ConfigError, UpstreamError
from sidecar.ledger.desk import Desk
from sidecar.ledger.model import Payment, Step

LAST = "last"
# Shown of a refusal where it is there, in this order.
_SHOWN = ("at", "request_id", "route", "caller", "method", "path", "status", "decision", "rule")


def explain(args: argparse.Namespace) -> int:
    """0 when there was something to explain, or nothing had been refused; 2 when it is unknown."""
    if args.rules:
        _write_rules(as_json=args.json)
        return exits.OK
    desk = open_desk(read_config(args), os.environ)
    payment = _payment(args.id, desk) if args.id != LAST else None
    if payment is None:
        refusals = asyncio.run(_refusals(admin_url(args)))
        found = _refusal(args.id, refusals or ())
        if found is not None:
            _write_refusal(found, as_json=args.json)
            return exits.OK
        if args.id != LAST:
            raise ConfigError(
                f"id: there is no payment {plain(args.id)} in {desk.place}, and the "
                "running sidecar remembers no request of this id; `sidecar payments` lists payments"
            )
        if refusals is not None:
            print("sidecar: nothing was refused since it started", file=sys.stderr)
        payment = _newest(desk)
    if payment is not None:
        _write_payment(payment, desk.history(payment.id), as_json=args.json)
    elif args.json:
        write_json({})
    else:
        print("there is nothing to explain: no refusal, and no payment")
    return exits.OK


def _payment(payment_id: str, desk: Desk) -> Payment | None:
    found = desk.find(payment_id) if desk.exists() else None
    return None if found is None else found.payment


def _newest(desk: Desk) -> Payment | None:
    newest = desk.payments(None, 1) if desk.exists() else ()
    return newest[0] if newest else None


async def _refusals(url: str) -> Sequence[Mapping[str, Any]] | None:
    """What the running sidecar has refused, newest first; None where none runs, which is told."""
    try:
        told = await ask_admin(url, "/status")
    except UpstreamError as fault:
        print(f"sidecar: {fault.diagnostics()}; the ledger alone is asked", file=sys.stderr)
        return None
    said = told.document.get("refusals")
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else ()


def _refusal(wanted: str, refusals: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    for each in refusals:
        if wanted in {LAST, each.get("request_id")}:
            return each
    return None


def _write_refusal(refusal: Mapping[str, Any], *, as_json: bool) -> None:
    rule = rule_of(str(refusal.get("rule") or ""), str(refusal.get("decision") or ""))
    advice = advise(rule, str(refusal.get("detail") or ""))
    if as_json:
        told = None if advice is None else {"rule": rule, "means": advice.means, "do": advice.fix}
        write_json({"refusal": dict(refusal), "rule": told})
        return
    for name in _SHOWN:
        if refusal.get(name) not in (None, ""):
            print(f"{name:12}{plain(refusal[name])}")
    print(f"\n{plain(refusal.get('detail'))}")
    if advice is not None:
        print(f"\n{advice.means}\nDo: {advice.fix}")


def _write_payment(payment: Payment, steps: Sequence[Step], *, as_json: bool) -> None:
    if as_json:
        history = [
            {
                "at": utc(step.at),
                "event": step.kind,
                "sentence": sentence(step, payment),
                "detail": dict(step.detail),
            }
            for step in steps
        ]
        write_json({"payment": row_of(payment, None), "history": history, "now": outcome(payment)})
        return
    what = plain(payment.purpose).replace("_", "-")
    print(
        f"{plain(payment.id)}: {payment.amount} to {plain(payment.pay_to)} on "
        f"{plain(payment.network)}\nfor a {what} of route "
        f"{plain(payment.route)}, by {plain(payment.caller)}\n"
    )
    for step in steps:
        print(f"  {utc(step.at)}  {plain(sentence(step, payment))}")
    print(f"\n{plain(outcome(payment))}")


def _write_rules(*, as_json: bool) -> None:
    if as_json:
        rows = [{"rule": rule, "means": a.means, "do": a.fix} for rule, a in RULES.items()]
        write_json(rows)
        return
    for rule, advice in RULES.items():
        print(f"{rule}\n    {advice.means}\n    Do: {advice.fix}")
