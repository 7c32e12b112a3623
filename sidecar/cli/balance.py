"""``sidecar balance``: the USDC of each wallet on each chain; the sidecar need not run."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Generator

from sidecar.chains import NETWORK_NAMES, Asset, is_evm, usdc_on
from sidecar.cli import exits
from sidecar.cli.config_file import read_config
from sidecar.cli.dialogue import Dialogue, dialogue
from sidecar.cli.keys import wallet_addresses
from sidecar.cli.screen import working, write_json, write_table
from sidecar.config.model import ChainConfig, Config
from sidecar.errors import ConfigError, RemoteProtocolError, SidecarError, UpstreamError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.rpc import evm, solana
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Holding:
    """What a wallet holds on a network, or why nobody could say."""

    wallet: str
    address: str
    network: str
    amount: Usdc | None
    fault: SidecarError | None = None


def balance(args: argparse.Namespace) -> int:
    """0; else the status of the first fault, after all that is known was written."""
    config = read_config(args)
    if not config.wallets:
        raise ConfigError("wallets: none; add one whose balance is wanted")
    if not config.chains:
        raise ConfigError('chains: none; add one, like "eip155:8453": {rpc: ["https://…"]}')
    addresses = wallet_addresses(config, os.environ)
    with working("asking the chains"):
        holdings = asyncio.run(_ask_all(config, addresses))
    if args.json:
        write_json([_row(holding) for holding in holdings])
    else:
        write_table(
            ("WALLET", "ADDRESS", "NETWORK", "NAME", "BALANCE"),
            [
                (
                    holding.wallet,
                    holding.address,
                    holding.network,
                    NETWORK_NAMES[holding.network],
                    "unknown" if holding.amount is None else holding.amount,
                )
                for holding in holdings
            ],
            expendable=("NETWORK",),
        )
    status = exits.OK
    for holding in holdings:
        if holding.fault is not None:
            where = f"{holding.wallet} on {holding.network}"
            print(f"sidecar: {where}: {holding.fault.diagnostics()}", file=sys.stderr)
            status = status or exits.exit_of(holding.fault)
    return status


def _row(holding: Holding) -> dict[str, str | int | None]:
    amount = holding.amount
    return {
        "wallet": holding.wallet,
        "address": holding.address,
        "network": holding.network,
        "balance_usdc": None if amount is None else amount.digits,
        "balance_atomic": None if amount is None else amount.atomic,
        "error": None if holding.fault is None else holding.fault.diagnostics(),
    }


async def _ask_all(config: Config, addresses: dict[str, str]) -> list[Holding]:
    urls = [url for chain in config.chains.values() for url in chain.rpc]
    async with dialogue(urls) as talk:
        return await asyncio.gather(
            *(
                _ask(talk, wallet.name, addresses[wallet.name], chain)
                for wallet in config.wallets.values()
                for chain in config.chains.values()
                if is_evm(chain.network) == (wallet.kind == "evm")
            )
        )


async def _ask(talk: Dialogue, wallet: str, address: str, chain: ChainConfig) -> Holding:
    """The first endpoint that can say."""
    asset = usdc_on(chain.network)
    fault: SidecarError | None = None
    for url in chain.rpc:
        try:
            amount = await talk.hold(balance_of(url, asset, address))
            return Holding(wallet, address, chain.network, amount)
        except (UpstreamError, RemoteProtocolError) as caught:
            fault = caught
    return Holding(wallet, address, chain.network, None, fault)


def balance_of(url: str, asset: Asset, address: str) -> Generator[HttpRequest, HttpResponse, Usdc]:
    """What the address holds. An endpoint of another chain would answer as well, and is a fault."""
    if is_evm(asset.network):
        if (yield from evm.chain_id(url)) != asset.chain_id:
            raise RemoteProtocolError("the endpoint is of another chain")
        return (yield from evm.balance_of(url, asset.address, address))
    # Heavy to load, and most have no such wallet.
    from sidecar.wallets.solana import token_account  # noqa: PLC0415 - see above

    if (yield from solana.network(url)) != asset.network:
        raise RemoteProtocolError("the endpoint is of another chain")
    account = token_account(address, asset.address)
    return (yield from solana.token_balance(url, account, asset.decimals))
