"""What a proxy that has been taken over asks of its signer."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from sidecar.chains import SOLANA, SOLANA_DEVNET, usdc_on
from sidecar.wallets.solana import SolanaAccount, SolanaWallet, token_account
from tests.world.signer_orders import (
    ADDRESS,
    FEE_PAYER,
    PAYEE,
    SEED,
    SOL_PAYEE,
    THIEF,
    order,
    permit,
    sign_in,
    solana_order,
    soon,
    with_said,
    without,
)


def bad_orders() -> dict[str, tuple[Any, str]]:
    """What a thief would like, dated now, and the rule that refuses it."""
    return {
        "over the cap": (order(value="100001"), "max_payment"),
        "far over the cap": (order(value="9" * 31), "max_payment"),
        "another payee": (order(to=THIEF), "pay_to"),
        "to the zero address": (order(to="0x" + "0" * 40), "pay_to"),
        "a payee in lower case": (order(to=PAYEE.lower()), "wallet"),
        "a payee that is none": (order(to="vitalik.eth"), "wallet"),
        "an unknown asset": (order(asset=THIEF), "wallet"),
        "another network's USDC": (order(asset=usdc_on("eip155:1").address), "wallet"),
        "no asset": (order(asset=None), "wallet"),
        "a network without permission": (
            order(network="eip155:1", asset=usdc_on("eip155:1").address),
            "network",
        ),
        "a network nobody knows": (order(network="eip155:666"), "wallet"),
        "Solana's network for an EVM key": (
            order(network=SOLANA, asset=usdc_on(SOLANA).address),
            "wallet",
        ),
        "valid for too long": (order(life_s=200), "validity"),
        "valid for ten years": (order(life_s=315_360_000), "validity"),
        "expired": (order(life_s=-5), "validity"),
        "below a minute": (order(life_s=45), "validity"),
        "validBefore of ten years, in an order of two minutes": (
            order(validBefore=str(soon(315_360_000))),
            "wallet",
        ),
        "valid before it begins": (order(validAfter="1"), "wallet"),
        "amount zero": (order(value="0"), "wallet"),
        "amount negative": (order(value="-1"), "wallet"),
        "amount in hexadecimal": (order(value="0x10"), "wallet"),
        "amount with an exponent": (order(value="1e4"), "wallet"),
        "amount in other digits": (order(value="\u0661\u0660"), "wallet"),
        "amount with a line's end": (order(value="10000\n"), "wallet"),
        "amount beyond every number": (order(value="9" * 5_000), "wallet"),
        "amount as a number": (order(value=10_000), "request"),
        "somebody else's money": (order(from_=THIEF), "wallet"),
        "an identity that is not the nonce": (order(identity="0x" + "ab" * 32), "wallet"),
        "a nonce in capitals": (order(nonce="0x" + "AB" * 32), "wallet"),
        "a short nonce": (order(nonce="0xab"), "wallet"),
        "a kind that nobody signs": (order(primaryType="CancelAuthorization"), "wallet"),
        "Permit to another spender": (permit(spender=THIEF), "pay_to"),
        "Permit over the cap": (permit(value=str(2**256 - 1)), "wallet"),
        "Permit with a deadline of its own": (permit(validBefore=str(2**40)), "wallet"),
        "Permit under a transfer's identity": (
            with_said(permit(), identity=f"0x{7:064x}"),
            "wallet",
        ),
        "a raw digest": ({"method": "sign", "digest": "0x" + "ab" * 32}, "request"),
        "a raw digest by another name": ({"method": "sign_digest", "digest": "0xab"}, "request"),
        "typed data": ({"method": "eth_signTypedData_v4", "params": [ADDRESS, {}]}, "request"),
        "a raw text": ({"method": "sign_in", "message": "give me all"}, "request"),
        "the key": ({"method": "export"}, "request"),
        "an order with more in it": ({**order(), "cap": "no"}, "request"),
        "an authorization with more in it": (with_said(order(), force=True), "request"),
        "no expiry": (without(order(), "expires_at"), "request"),
        "an expiry that is a bool": (with_said(order(), expires_at=True), "request"),
        "an expiry beyond the calendar": (with_said(order(), expires_at=10**30), "request"),
        "an expiry before 1970": (with_said(order(), expires_at=-1), "request"),
        "fields in a list": (with_said(order(), fields=[]), "request"),
        "no fields": (with_said(order(), fields={}), "wallet"),
        "no object": ([order()], "request"),
        "nothing": (None, "request"),
        "a sign-in elsewhere": (sign_in(domain="evil.example"), "domain"),
        "a sign-in under a longer name": (
            sign_in(domain="api.seller.example.evil.example"),
            "domain",
        ),
        "a sign-in at another port": (sign_in(domain="api.seller.example:8443"), "domain"),
        "a sign-in with a user": (sign_in(domain="api.seller.example@evil.example"), "request"),
        "a statement of two lines": (
            sign_in(statement="yes\nURI: https://evil.example"),
            "request",
        ),
        "a sign-in of somebody else": (sign_in(address=THIEF), "wallet"),
        "a sign-in on Solana": (
            sign_in(network=SOLANA, address=SolanaWallet(SEED, {}).address),
            "wallet",
        ),
        "a sign-in without a nonce": (sign_in(nonce=None), "request"),
        "a sign-in of another version": (sign_in(version="2"), "request"),
        "a sign-in with more in it": (sign_in(text="anything"), "request"),
    }


def bad_solana_orders() -> dict[str, tuple[Any, str]]:
    """The same on Solana."""
    return {
        "over the cap": (solana_order(amount="100001"), "max_payment"),
        "another payee": (solana_order(pay_to=FEE_PAYER, fee_payer=SOL_PAYEE), "pay_to"),
        "a payee's name, another's account": (
            solana_order(destination=token_account(FEE_PAYER, usdc_on(SOLANA).address)),
            "wallet",
        ),
        "our key pays the fee": (
            solana_order(fee_payer=SolanaWallet(SEED, {}).address),
            "wallet",
        ),
        "our token account pays the fee": (
            solana_order(
                fee_payer=token_account(SolanaWallet(SEED, {}).address, usdc_on(SOLANA).address)
            ),
            "wallet",
        ),
        "to ourselves": (solana_order(pay_to=SolanaWallet(SEED, {}).address), "wallet"),
        "a memo that is too long": (solana_order(memo="m" * 257), "wallet"),
        "a fake mint": (solana_order(mint=FEE_PAYER), "wallet"),
        "other decimals": (solana_order(decimals="9"), "wallet"),
        "devnet": (
            solana_order(
                network=SOLANA_DEVNET,
                mint=usdc_on(SOLANA_DEVNET).address,
                source=token_account(
                    SolanaWallet(SEED, {}).address, usdc_on(SOLANA_DEVNET).address
                ),
                destination=token_account(SOL_PAYEE, usdc_on(SOLANA_DEVNET).address),
            ),
            "network",
        ),
        "a fee that eats the wallet": (solana_order(compute_unit_price="99999999"), "wallet"),
        "an amount beyond u64": (solana_order(amount="18446744073709551616"), "wallet"),
        "another message": (solana_order(identity="ab" * 32), "wallet"),
        "a blockhash that is none": (solana_order(blockhash="now"), "wallet"),
        "valid for too long": (solana_order(life_s="200"), "validity"),
        "expired": (solana_order(life_s="-5"), "validity"),
        "somebody else's money": (
            solana_order(SolanaAccount(str(Pubkey.from_bytes(b"\x07" * 32)), {})),
            "wallet",
        ),
    }


BAD_BYTES = {
    "garbage": b"\xff\xfe\xfd" * 100,
    "HTTP": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an oversized frame": (64 * 1024 + 1).to_bytes(4, "big") + b"{" * (64 * 1024 + 1),
    "a frame of four gigabytes": b"\xff\xff\xff\xff{}",
    "an empty frame": bytes(4),
    "half a frame": (100).to_bytes(4, "big") + b'{"method":',
    "not JSON": (7).to_bytes(4, "big") + b"{method",
    "not UTF-8": (2).to_bytes(4, "big") + b"\xff\xfe",
    "deep JSON": (60_000).to_bytes(4, "big") + b"[" * 60_000,
    "a key twice": (42).to_bytes(4, "big") + b'{"method": "address", "method": "address"}',
    "infinity": (8).to_bytes(4, "big") + b"Infinity",
}
