"""A wallet with a token at Nodit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sidecar.sandbox.vendors.accounts import Account
from sidecar.sandbox.vendors.conduct import Misdeed
from tests.unit.sandbox.client import Answer
from tests.unit.sandbox.vendors.wallets import (
    Customer,
    Text,
)
from tests.world.payment_builder import Build, decode, encode

BLOCK = "/nodit/credit/v1/ethereum/mainnet/blockchain/getBlockByHashOrNumber"
NODE = "/nodit/credit/ethereum/mainnet/json-rpc"
CHARGE = "/nodit/credit/charge"
BALANCE = "/nodit/credit/balance"
RPC = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
AMOUNT = 1_000_000


class Member:
    """A wallet with a token."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.buyer = customer.buyer
        self.token = ""

    @property
    def text(self) -> Text:
        text = self.customer.text
        return replace(
            text,
            statement=f"Sign in to {text.domain}",
            uri=f"http://{text.domain}",
            life=timedelta(minutes=10),
        )

    @property
    def account(self) -> Account:
        return self.buyer.sandbox.vendors.nodit.account(self.customer.wallet.address)

    async def auth(self, text: Text | None = None, **changed: str) -> Answer:
        text = text or self.text
        document = {"message": str(text), "signature": text.wallet.sign(str(text)), **changed}
        return await self.buyer.send("POST", "/nodit/auth", json.dumps(document).encode())

    async def sign_in(self) -> Member:
        answer = await self.auth()
        assert 200 == answer.status, answer.body
        self.token = answer.json["accessToken"]
        return self

    async def send(self, path: str, document: object = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {self.token}"
        if document is None:
            return await self.buyer.send("GET", path, None, named)
        return await self.buyer.send("POST", path, json.dumps(document).encode(), named)

    @property
    def build(self) -> Build:
        """A good payment of a dollar, with a new nonce."""
        return replace(self.customer.build, value=AMOUNT, valid_for_s=300)

    async def terms(self, amount: int = AMOUNT) -> dict[str, Any]:
        answer = await self.send(CHARGE, {"amount": str(amount)})
        assert 402 == answer.status, answer.body
        return decode(answer.headers["PAYMENT-REQUIRED"])

    async def document(self, build: Build | None = None) -> dict[str, Any]:
        """A payment as documented."""
        made = build or self.build
        paid = made.v2(await self.terms(made.value))
        paid["resource"] = {
            "url": self.buyer.sandbox.url + CHARGE,
            "description": "Credit charge",
            "mimeType": "application/json",
        }
        return paid

    async def present(self, document: object, amount: int = AMOUNT) -> Answer:
        body = {"amount": str(amount)}
        return await self.send(CHARGE, body, PAYMENT_SIGNATURE=encode(document))

    async def charge(self, build: Build | None = None) -> Answer:
        made = build or self.build
        return await self.present(await self.document(made), made.value)


def told(member: Member, misdeed: Misdeed, **more: Any) -> None:
    member.buyer.sandbox.vendors.conduct.add("nodit", misdeed, **more)
