"""Wallets that sign in and pay by hand, with eth_account and nacl alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from nacl.signing import SigningKey
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from sidecar.chains import SOLANA_DEVNET
from sidecar.sandbox.solana import Ledger
from tests.unit.sandbox.client import Answer, Buyer
from tests.world.payment_builder import PAYER, Build, encode

VENICE = "/venice/api/v1"
CHAT = f"{VENICE}/chat/completions"
TOP_UP = f"{VENICE}/x402/top-up"
TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
MEMO_PROGRAM = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
MINUTES = timedelta(minutes=1)


def iso(moment: datetime) -> str:
    """ISO 8601 with milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Evm:
    """An EVM wallet."""

    account: LocalAccount = field(default=PAYER)

    @property
    def address(self) -> str:
        return self.account.address

    @property
    def network(self) -> str:
        return "eip155:84532"

    def sign(self, text: str) -> str:
        signed = self.account.sign_message(encode_defunct(text=text))
        return "0x" + bytes(signed.signature).hex()


@dataclass(frozen=True, slots=True)
class Solana:
    """A Solana wallet."""

    key: SigningKey = field(default=SigningKey(bytes(range(32))))

    @property
    def address(self) -> str:
        return str(Pubkey(bytes(self.key.verify_key)))

    @property
    def network(self) -> str:
        return SOLANA_DEVNET

    def sign(self, text: str) -> str:
        return str(Signature(self.key.sign(text.encode()).signature))


Wallet = Evm | Solana

OTHER = Evm(Account.from_key("0x" + "22" * 32))


@dataclass(frozen=True, slots=True)
class Text:
    """A sign-in text, one field at a time. `replace` it to change one thing."""

    wallet: Wallet
    domain: str
    issued: datetime
    nonce: str
    statement: str | None = "Sign in to Venice AI"
    uri: str = "https://api.venice.ai/api/v1/chat/completions"
    life: timedelta | None = 5 * MINUTES
    chain_id: str = ""
    version: str = "1"
    address: str = ""
    tail: str = ""

    def __str__(self) -> str:
        ethereum = isinstance(self.wallet, Evm)
        kind = "Ethereum" if ethereum else "Solana"
        chain_id = self.chain_id or self.wallet.network.partition(":")[2]
        middle = f"{self.statement}\n\n" if self.statement is not None else "\n" * ethereum
        expires = f"\nExpiration Time: {iso(self.issued + self.life)}" if self.life else ""
        return (
            f"{self.domain} wants you to sign in with your {kind} account:\n"
            f"{self.address or self.wallet.address}\n\n{middle}"
            f"URI: {self.uri}\nVersion: {self.version}\nChain ID: {chain_id}\n"
            f"Nonce: {self.nonce}\nIssued At: {iso(self.issued)}{expires}{self.tail}"
        )

    @property
    def header(self) -> dict[str, Any]:
        """Venice's header for it, as JSON."""
        text = str(self)
        document: dict[str, Any] = {
            "address": self.wallet.address,
            "message": text,
            "signature": self.wallet.sign(text),
            "chainId": self.wallet.network,
        }
        if isinstance(self.wallet, Solana):
            document["type"] = "ed25519"
        return document


class Customer:
    """A wallet at one sandbox, which signs anew for each request."""

    def __init__(self, buyer: Buyer, wallet: Wallet | None = None) -> None:
        self.buyer = buyer
        self.wallet = wallet or Evm()
        self._numbers: Iterator[int] = count(1)

    @property
    def domain(self) -> str:
        return self.buyer.sandbox.url.removeprefix("http://")

    @property
    def text(self) -> Text:
        """A good sign-in text, with a new nonce."""
        now = self.buyer.sandbox._clock.now()
        return Text(self.wallet, self.domain, now, f"{next(self._numbers):032x}")

    @property
    def build(self) -> Build:
        """A good payment of ten dollars, with a new nonce."""
        assert isinstance(self.wallet, Evm)
        account = self.wallet.account
        made = replace(self.buyer.build, signer=account, payer=account.address, value=10_000_000)
        return made.number(next(self._numbers))

    async def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> Answer:
        """One request, signed."""
        signed = {"SIGN-IN-WITH-X": encode(self.text.header)}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.buyer.send(method, path, body, signed | named)

    async def chat(self, **more: object) -> Answer:
        """One chat completion at Venice."""
        return await self.send("POST", CHAT, chat_body(**more))

    async def balance(self) -> Answer:
        """What Venice says that this wallet has."""
        return await self.send("GET", f"{VENICE}/x402/balance/{self.wallet.address}")

    async def pay(self, build: Build | None = None, name: str = "PAYMENT-SIGNATURE") -> Answer:
        """One top-up in the flat shape, without asking for the terms."""
        header = encode(flat((build or self.build).payload()))
        return await self.buyer.send("POST", TOP_UP, None, {name: header})


def flat(payload: dict[str, Any], network: str = "base-sepolia", **more: object) -> dict[str, Any]:
    """The shape of Venice's own client."""
    return {
        "x402Version": 2,
        "scheme": "exact",
        "network": network,
        "payload": payload,
        **more,
    }


def chat_body(**more: object) -> bytes:
    """A chat completion request."""
    messages = [{"role": "user", "content": "Hello"}]
    return json.dumps({"model": "kimi-k2-5", "messages": messages, **more}).encode()


def base64_signature(signature: str) -> str:
    """A base58 signature in base64."""
    return base64.b64encode(bytes(Signature.from_string(signature))).decode()


def solana_transaction(ledger: Ledger, wallet: Solana, pay_to: str, amount: int) -> str:
    """A partly signed transfer, in base64, as the official SDK builds it."""
    payer = Pubkey.from_string(wallet.address)
    mint, fee_payer = ledger.mint, ledger.fee_payer
    source = ledger.token_account(payer)
    destination = ledger.token_account(Pubkey.from_string(pay_to))
    transfer = Instruction(
        TOKEN_PROGRAM,
        bytes([12]) + amount.to_bytes(8, "little") + bytes([6]),
        [
            AccountMeta(source, is_signer=False, is_writable=True),
            AccountMeta(mint, is_signer=False, is_writable=False),
            AccountMeta(destination, is_signer=False, is_writable=True),
            AccountMeta(payer, is_signer=True, is_writable=False),
        ],
    )
    memo = Instruction(MEMO_PROGRAM, b"00112233445566778899aabbccddeeff", [])
    instructions = [set_compute_unit_limit(20_000), set_compute_unit_price(1), transfer, memo]
    message = MessageV0.try_compile(fee_payer, instructions, [], ledger.blocks.head().blockhash)
    signature = wallet.key.sign(to_bytes_versioned(message)).signature
    signed = [Signature.default(), Signature(signature)]
    return base64.b64encode(bytes(VersionedTransaction.populate(message, signed))).decode()
