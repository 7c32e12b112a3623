"""``sidecar approve`` and ``refuse``: a person's word on payments that wait for it."""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk, require_ledger
from sidecar.cli.exits import POLICY
from sidecar.cli.screen import plain
from sidecar.clock import SystemClock
from sidecar.refusal import Denied


def approve(args: argparse.Namespace) -> int:
    """0 when each was waiting; else 3, and the others are decided all the same."""
    return decide(args, approve=True)


def decide(args: argparse.Namespace, *, approve: bool) -> int:
    """Write the same word on each payment that was named."""
    desk = open_desk(read_config(args), os.environ)
    require_ledger(desk, then=", so nothing waits")
    failed = False
    for payment_id in args.payments:
        now = SystemClock().now()
        decided = desk.decide(payment_id, "command line", now, approve=approve)
        if isinstance(decided, Denied):
            failed = True
            print(f"{plain(decided.detail)}; `sidecar approvals` shows what waits")
        else:
            what = "approved" if approve else "refused"
            print(f"{what}: {decided.amount} to {plain(decided.pay_to)} ({plain(decided.id)})")
    return POLICY if failed else 0
