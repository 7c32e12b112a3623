"""Tokens, chains, domains and payees that are not what they say."""

from __future__ import annotations

from tests.hostile.case import (
    BASE,
    HONEST,
    HONEST_SOLANA,
    MINT,
    PRICE,
    SELLER,
    SOLANA,
    SOLANA_THIEF,
    THIEF,
    USDC,
    Case,
    Offer,
    ask,
    ask_v1,
    entry,
    extra,
    on_solana,
)
from tests.hostile.wallets import EVM_ADDRESS, SOLANA_ADDRESS

FAKE = "0x1111111111111111111111111111111111111111"
DAI = "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb"
BRIDGED = "0xd9aAEc86B65D86f6A7B5B1b0c42FFA531710b6CA"
ZERO = "0x0000000000000000000000000000000000000000"
BURN = "0x000000000000000000000000000000000000dEaD"
INCINERATOR = "1nc1nerator11111111111111111111111111111111"
NATIVE_SOL = "So11111111111111111111111111111111111111112"
USDT_MINT = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"

TOKENS = (
    Case("a token that calls itself USD Coin", "token", ask(entry(asset=FAKE))),
    Case("Dai, of eighteen decimals", "token", ask(entry(asset=DAI))),
    Case("bridged USDC", "token", ask(entry(asset=BRIDGED))),
    Case(
        "the USDC of another chain",
        "token",
        ask(entry(asset="0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")),
    ),
    Case("the token's address without 0x", "token", ask(entry(asset=USDC[2:]))),
    Case("the token's address, and a space", "token", ask(entry(asset=f"{USDC} "))),
    Case("the token's address, and a newline", "token", ask(entry(asset=f"{USDC}\n"))),
    Case("the token's address, a digit too long", "token", ask(entry(asset=f"{USDC}0"))),
    Case("the token by its symbol", "token", ask(entry(asset="USDC"))),
    Case("the token as a list", "token", ask(entry(asset=[USDC]))),
    Case("no token", "token", ask(entry(asset=...))),
    Case(
        "a Cyrillic letter in the token's address",
        "token",
        ask(entry(asset=USDC.replace("C", "\u0421", 1))),
    ),
    Case(
        "a fake token, cheaper than the honest offer",
        "token",
        ask(entry(asset=FAKE, amount="1"), entry()),
        (HONEST,),
    ),
    Case("another mint", "token", ask(on_solana(asset=USDT_MINT))),
    Case("wrapped SOL", "token", ask(on_solana(asset=NATIVE_SOL))),
    Case("the mint in other cases", "token", ask(on_solana(asset=MINT.lower()))),
    Case("the mint on EVM", "token", ask(entry(asset=MINT))),
    Case("the token on Solana", "token", ask(on_solana(asset=USDC))),
    Case(
        "another mint, cheaper",
        "token",
        ask(on_solana(asset=USDT_MINT, amount="1"), on_solana()),
        (HONEST_SOLANA,),
    ),
)

# Ours is signed whatever the seller calls it: so these are paid, and only for what they are.
DOMAINS = (
    Case("decimals: none", "decimals", ask(extra(decimals=0)), (HONEST,)),
    Case("decimals: eighteen", "decimals", ask(extra(decimals=18)), (HONEST,)),
    Case("decimals: minus six", "decimals", ask(extra(decimals=-6)), (HONEST,)),
    Case("decimals: a bomb", "decimals", ask(extra(decimals=10**300)), (HONEST,)),
    Case("another name", "domain", ask(extra(name="Dai Stablecoin")), (HONEST,)),
    Case("another version", "domain", ask(extra(version="1")), (HONEST,)),
    Case("a name that is a list", "domain", ask(extra(name=["USD Coin"])), (HONEST,)),
    Case("another chain id", "domain", ask(extra(chainId=1)), (HONEST,)),
    Case("another contract", "domain", ask(extra(verifyingContract=THIEF))),
    Case("the token itself as another contract", "domain", ask(extra(verifyingContract=USDC))),
    Case("no other contract", "domain", ask(extra(verifyingContract=None))),
    Case(
        "a domain of its own",
        "domain",
        ask(extra(domain={"name": "DAI", "salt": "0x00"})),
        (HONEST,),
    ),
    Case("types of its own", "domain", ask(extra(types={"Permit": []})), (HONEST,)),
    Case(
        "Gateway, which is backed for seven days",
        "gateway",
        ask(extra(name="GatewayWalletBatched", verifyingContract=FAKE)),
    ),
    Case("Gateway by its name alone", "gateway", ask(extra(name="GatewayWalletBatched"))),
    Case(
        "Gateway, cheaper than the honest offer",
        "gateway",
        ask(entry(amount="1", extra={"name": "GatewayWalletBatched", "version": "1"}), entry()),
        (HONEST,),
    ),
    Case("v1: Gateway", "gateway", ask_v1(extra(name="GatewayWalletBatched"))),
)


def _paid_to(pay_to: str) -> tuple[Offer, ...]:
    return (Offer("exact", BASE, pay_to, PRICE),)


PAYEES = (
    Case("another payee", "payee", ask(entry(payTo=THIEF)), _paid_to(THIEF)),
    Case(
        "another payee, cheaper",
        "payee",
        ask(entry(payTo=THIEF, amount="1"), entry()),
        (HONEST, Offer("exact", BASE, THIEF, 1)),
    ),
    Case("v1: another payee", "payee", ask_v1(entry(payTo=THIEF)), _paid_to(THIEF)),
    Case("nobody", "payee", ask(entry(payTo=ZERO))),
    Case("nobody, on Solana", "payee", ask(on_solana(payTo="1" * 32))),
    Case("the burn address", "payee", ask(entry(payTo=BURN))),
    Case("the burn address in lower case", "payee", ask(entry(payTo=BURN.lower()))),
    Case("the incinerator", "payee", ask(on_solana(payTo=INCINERATOR))),
    Case("the payer", "payee", ask(entry(payTo=EVM_ADDRESS))),
    Case("the payer in lower case", "payee", ask(entry(payTo=EVM_ADDRESS.lower()))),
    Case("the payer on Solana", "payee", ask(on_solana(payTo=SOLANA_ADDRESS))),
    Case("the token's own contract", "payee", ask(entry(payTo=USDC))),
    Case("the mint itself", "payee", ask(on_solana(payTo=MINT))),
    Case("a payee in lower case", "payee", ask(entry(payTo=SELLER.lower())), (HONEST,)),
    Case(
        "a payee with a wrong checksum",
        "payee",
        ask(entry(payTo="0x" + SELLER[2:].swapcase())),
        (HONEST,),
    ),
    Case("a payee that starts with 0X", "payee", ask(entry(payTo="0X" + SELLER[2:]))),
    Case("a payee a digit too short", "payee", ask(entry(payTo=SELLER[:-1]))),
    Case("a payee and a newline", "payee", ask(entry(payTo=f"{SELLER}\n"))),
    Case("a payee by an ENS name", "payee", ask(entry(payTo="seller.eth"))),
    Case("two payees", "payee", ask(entry(payTo=[SELLER, THIEF]))),
    Case("two payees in one text", "payee", ask(entry(payTo=f"{SELLER},{THIEF}"))),
    Case("a payee of fullwidth digits", "payee", ask(entry(payTo="0x" + "\uff11" * 40))),
    Case("a payee of Solana on Base", "payee", ask(entry(payTo=SOLANA_THIEF))),
    Case("a payee of Base on Solana", "payee", ask(on_solana(payTo=SELLER))),
    Case("a payee in a role", "payee", ask(entry(payTo="merchant"))),
    Case("pay_to beside payTo", "payee", ask(entry(pay_to=THIEF, recipient=THIEF)), (HONEST,)),
    Case(
        "recipientAddress of an exact offer", "payee", ask(extra(recipientAddress=THIEF)), (HONEST,)
    ),
    Case(
        "another payee on Solana",
        "payee",
        ask(on_solana(payTo=SOLANA_THIEF)),
        (Offer("exact", SOLANA, SOLANA_THIEF, PRICE),),
    ),
    Case("a payee of ten thousand letters", "payee", ask(on_solana(payTo="2" * 10_000))),
)

NETWORKS = (
    Case(
        "Ethereum",
        "network",
        ask(entry(network="eip155:1", asset="0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")),
    ),
    Case(
        "Polygon",
        "network",
        ask(entry(network="eip155:137", asset="0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359")),
    ),
    Case(
        "a testnet",
        "network",
        ask(entry(network="eip155:84532", asset="0x036CbD53842c5426634e7929541eC2318f3dCF7e")),
    ),
    Case("a chain that nobody knows", "network", ask(entry(network="eip155:1514"))),
    Case("every chain", "network", ask(entry(network="eip155:*"))),
    Case("a chain id with a zero in front", "network", ask(entry(network="eip155:08453"))),
    Case("a chain in capitals", "network", ask(entry(network="EIP155:8453"))),
    Case("a chain and a newline", "network", ask(entry(network="eip155:8453\n"))),
    Case("a chain by its number", "network", ask(entry(network=8453))),
    Case("two chains", "network", ask(entry(network=["eip155:8453", "eip155:1"]))),
    Case("v2 with v1's name of the chain", "network", ask(entry(network="base")), (HONEST,)),
    Case("v1 with a chain of its own", "network", ask_v1(entry(network="base-mainnet"))),
    Case(
        "devnet",
        "network",
        ask(
            on_solana(
                network="solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
                asset="4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
            )
        ),
    ),
    Case("mainnet's mint on devnet", "network", ask(on_solana(network="solana-devnet"))),
    Case(
        "another chain, cheaper",
        "network",
        ask(
            entry(
                network="eip155:1", asset="0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", amount="1"
            ),
            entry(),
        ),
        (HONEST,),
    ),
)

CASES = (*TOKENS, *DOMAINS, *PAYEES, *NETWORKS)
