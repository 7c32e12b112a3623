"""``sidecar reconcile``: the ledger beside each wallet's chain, and beside each vendor's balance.

The sidecar need not run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from sidecar.chains import is_evm, usdc_on
from sidecar.cli import exits
from sidecar.cli.config_file import read_config
from sidecar.cli.credit import Credit, read_credit, row_of
from sidecar.cli.desk import open_desk, require_ledger
from sidecar.cli.dialogue import Dialogue, dialogue
from sidecar.cli.keys import wallet_addresses
from sidecar.cli.screen import plain, working, write_json, write_table
from sidecar.clock import SystemClock
from sidecar.config.model import ChainConfig, Config, PostgresUrl
from sidecar.errors import (
    ConfigError,
    RemoteProtocolError,
    SidecarError,
    UpstreamError,
)
from sidecar.http import HttpRequest, HttpResponse
from sidecar.ledger.model import Payment
from sidecar.payments.outflows import Outflow, evm_outflows, solana_outflows
from sidecar.payments.reconciliation import Comparison, compare
from sidecar.values import dataclass

PAYMENTS_MAX = 1_000_000
HOURS_MAX = 24 * 31
BODY_BYTES_MAX = 4 * 1024 * 1024
WAIT_S = 60.0
# Payments of before may settle inside the time that is asked for.
BEFORE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Account:
    """A wallet on a network, and what the comparison of its books came to."""

    wallet: str
    network: str
    found: Comparison | None
    fault: SidecarError | None = None


def reconcile(args: argparse.Namespace) -> int:
    """0 where all agree; 8 where something is foreign or missing; else the first fault's."""
    if not 1 <= args.hours <= HOURS_MAX:
        raise ConfigError(f"--hours: out of range: {args.hours}; use 1 to {HOURS_MAX}")
    config = read_config(args)
    if not config.chains:
        raise ConfigError('chains: none; add one, like "eip155:8453": {rpc: ["https://…"]}')
    desk = open_desk(config, os.environ)
    require_ledger(desk)
    if isinstance(config.ledger, PostgresUrl) and config.ledger.leases is not None:
        print(
            "sidecar: with leases each machine keeps payments of its own; those of others are told "
            "as foreign",
            file=sys.stderr,
        )
    now = SystemClock().now()
    since = now - timedelta(hours=args.hours)
    books = desk.payments(since - BEFORE, PAYMENTS_MAX)
    with working("asking the chains what left each wallet") as tell:
        accounts = asyncio.run(_compare_all(config, books, since, now))
        tell("asking vendors what they hold")
        credit = asyncio.run(read_credit(config, desk.top_ups()))
    if args.json:
        wallets = [_row(account) for account in accounts]
        write_json({"wallets": wallets, "credit": [row_of(each) for each in credit]})
    else:
        _write(accounts)
        _write_credit(credit)
    status = exits.OK
    for each in credit:
        if each.fault is not None:
            print(f"sidecar: credit of {each.route}: {plain(each.fault)}", file=sys.stderr)
            status = exits.TRANSPORT
    for account in accounts:
        if account.fault is not None:
            where = f"{account.wallet} on {account.network}"
            print(f"sidecar: {where}: {account.fault.diagnostics()}", file=sys.stderr)
            status = status or exits.exit_of(account.fault)
    disagree = any(account.found is not None and not account.found.agrees for account in accounts)
    return exits.IN_DOUBT if disagree else status


async def _compare_all(
    config: Config, books: tuple[Payment, ...], since: datetime, now: datetime
) -> list[Account]:
    addresses = wallet_addresses(config, os.environ)
    urls = [url for chain in config.chains.values() for url in chain.rpc]
    async with dialogue(urls) as talk:
        return [
            await _compare(talk, wallet.name, addresses[wallet.name], chain, books, since, now)
            for wallet in config.wallets.values()
            for chain in config.chains.values()
            if is_evm(chain.network) == (wallet.kind == "evm")
        ]


async def _compare(
    talk: Dialogue,
    wallet: str,
    address: str,
    chain: ChainConfig,
    books: tuple[Payment, ...],
    since: datetime,
    now: datetime,
) -> Account:
    """By the first endpoint that can say."""
    ours = [payment for payment in books if _payer(payment) == (chain.network, address)]
    fault: SidecarError | None = None
    for url in chain.rpc:
        try:
            outflows = await talk.hold(
                _outflows(url, chain.network, address, since), BODY_BYTES_MAX, WAIT_S
            )
        except (UpstreamError, RemoteProtocolError) as caught:
            fault = caught
            continue
        return Account(wallet, chain.network, compare(ours, outflows, since, now))
    return Account(wallet, chain.network, None, fault)


def _payer(payment: Payment) -> tuple[str, str]:
    fields = payment.authorization.fields if payment.authorization is not None else {}
    return payment.network, fields.get("payer", fields.get("from", ""))


def _outflows(
    url: str, network: str, address: str, since: datetime
) -> Generator[HttpRequest, HttpResponse, tuple[Outflow, ...]]:
    asset = usdc_on(network)
    if is_evm(network):
        return (yield from evm_outflows(url, asset, address, since))
    # Heavy to load, and most have no such wallet.
    from sidecar.wallets.solana import token_account  # noqa: PLC0415 - see above

    account = token_account(address, asset.address)
    return (yield from solana_outflows(url, asset, address, account, since))


def _write(accounts: list[Account]) -> None:
    write_table(
        ("WALLET", "NETWORK", "MOVED", "POSTED", "IN_DOUBT", "FOREIGN", "MISSING"),
        [
            (
                account.wallet,
                account.network,
                *(
                    ("unknown", "-", "-", "-", "-")
                    if account.found is None
                    else (
                        account.found.moved,
                        account.found.posted,
                        account.found.in_doubt,
                        len(account.found.foreign),
                        len(account.found.missing),
                    )
                ),
            )
            for account in accounts
        ],
    )
    for account in accounts:
        for outflow in account.found.foreign if account.found is not None else ():
            print(
                f"foreign: {outflow.amount} left {account.wallet} on {account.network} in "
                f"{outflow.transaction}, and no payment here explains it"
            )
        for payment in account.found.missing if account.found is not None else ():
            print(
                f"missing: {payment.id} of {payment.amount} is posted here ({payment.route}), "
                f"and {account.network} does not show it"
            )


def _write_credit(credit: list[Credit]) -> None:
    if not credit:
        return
    print()
    write_table(
        ("ROUTE", "ACCOUNT", "BOUGHT", "UNPROVEN", "LOST", "BALANCE", "SPENT_USD"),
        [
            (
                each.route,
                each.account,
                each.bought,
                each.unproven,
                each.lost,
                "unknown" if each.balance is None else f"{each.balance.value} {each.balance.unit}",
                each.spent,
            )
            for each in credit
        ],
    )
    for each in credit:
        # Credit that was bought by hand, or given: good to know, and nothing wrong.
        if each.balance is not None and each.balance.unit == "usd" and each.spent is None:
            print(f"more: {each.route} holds more credit than was bought here")


def _row(account: Account) -> dict[str, Any]:
    found = account.found
    row: dict[str, Any] = {
        "wallet": account.wallet,
        "network": account.network,
        "error": None if account.fault is None else account.fault.diagnostics(),
    }
    if found is None:
        return row | dict.fromkeys(
            ("moved_atomic", "posted_atomic", "in_doubt_atomic", "foreign", "missing")
        )
    return row | {
        "moved_atomic": found.moved.atomic,
        "posted_atomic": found.posted.atomic,
        "in_doubt_atomic": found.in_doubt.atomic,
        "foreign": [
            {"transaction": outflow.transaction, "amount_atomic": outflow.amount.atomic}
            for outflow in found.foreign
        ],
        "missing": [payment.id for payment in found.missing],
    }
