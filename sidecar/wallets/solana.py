"""A Solana key that signs sign-ins and USDC transfers, and nothing else.

The transaction is made here, whole: version 0, no lookup tables, the mint and its decimals from
our own row. A server chooses the payee, the amount, who pays the fee, and at most the memo and
the blockhash. Our key owns what is transferred and has no other part in it.

The message that is signed is the payment: its hash is the authorization's identity, and only
these bytes can move the money. Our memo is random, so no two messages are equal. Where the seller
dictates the memo, or takes none, two equal payments under one blockhash would be one transaction
that pays once; so a second one is not made before the first has expired. Ed25519 is
deterministic: the same authorization gives the same bytes after a restart. Source: x402.md 3.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from nacl.signing import SigningKey
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN
from solders.token.associated import get_associated_token_address

from sidecar import base58
from sidecar.chains import Asset, find_asset, is_evm, usdc_on
from sidecar.errors import WalletError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.rpc import solana
from sidecar.siwx import SignInMessage
from sidecar.wallets import KeyHolder
from sidecar.wallets.solana_layout import COMPUTE_PRICE_MAX, COMPUTE_UNITS_MAX, STANDARD, Layout
from sidecar.wallets.solana_memory import Blockhash, Memory
from sidecar.x402.select import MEMO_BYTES_MAX
from sidecar.x402.types import Authorization, Json, PaymentRequirements

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
# A blockhash lives for 150 blocks, some 60 to 90 s; after that nothing can settle.
LIFE = timedelta(seconds=120)

_TRANSFER_CHECKED = 12
_U64_MAX = 2**64 - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
# What a transfer is made of; ``message`` is what comes of it.
_FIELDS = (
    *("payer", "pay_to", "fee_payer", "source", "destination", "mint", "amount", "decimals"),
    *("memo", "blockhash", "last_valid_block_height"),
    *("compute_unit_limit", "compute_unit_price"),
)


def public_key(seed: bytes) -> bytes:
    """The public half of this secret key."""
    return bytes(SigningKey(seed).verify_key)


@lru_cache(maxsize=1024)
def token_account(owner: str, mint: str) -> str:
    """The owner's associated token account for a mint of the classic Token program."""
    return str(get_associated_token_address(_pubkey(owner, "an owner"), _pubkey(mint, "a mint")))


class SolanaAccount:
    """An address, and the transfers that it may sign: all of a wallet but the key."""

    __slots__ = ("_layout", "_memory", "_rpc_urls", "address")

    def __init__(
        self, address: str, rpc_urls: Mapping[str, str], layout: Layout = STANDARD
    ) -> None:
        """``rpc_urls``: where to ask for a blockhash, by network. WalletError: no address."""
        self.address = str(_pubkey(address, "the account's address"))
        self._rpc_urls, self._layout, self._memory = rpc_urls, layout, Memory()

    def with_layout(self, layout: Layout) -> SolanaAccount:
        """The same account, for a provider that wants its transactions otherwise."""
        account = SolanaAccount(self.address, self._rpc_urls, layout)
        account._memory = self._memory
        return account

    def usdc_account(self, network: str) -> str:
        """Where this wallet's USDC is; an account that may not exist yet."""
        return token_account(self.address, usdc_on(network).address)

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> Generator[HttpRequest, HttpResponse, Authorization]:
        """See ``PaymentSigner``. Its blockhash ends its life, whatever ``validity_s`` says."""
        assert at.tzinfo is not None
        assert len(nonce) == 32
        asset = _asset(requirements.network, requirements.asset)
        if requirements.scheme != "exact":
            raise WalletError("a Solana wallet pays by the scheme exact only")
        extra = requirements.extra
        memo, is_unique = self._memo(extra, nonce)
        blockhash = yield from self._blockhash(asset.network, extra, at, reuse=is_unique)
        fields = {
            "payer": self.address,
            "pay_to": requirements.pay_to,
            "fee_payer": str(_pubkey(extra.get("feePayer"), "the seller's feePayer")),
            "source": token_account(self.address, asset.address),
            "destination": token_account(requirements.pay_to, asset.address),
            "mint": asset.address,
            "amount": str(amount.atomic),
            "decimals": str(asset.decimals),
            "memo": memo,
            "blockhash": blockhash.text,
            "last_valid_block_height": blockhash.last_valid_block_height,
            "compute_unit_limit": str(self._layout.units_for(memo)),
            "compute_unit_price": str(self._layout.compute_unit_price),
        }
        message = self._message(asset.network, fields)
        identity = hashlib.sha256(message).hexdigest()
        expires_at = (at + LIFE).replace(microsecond=0)
        if not is_unique:
            self._memory.refuse_twin(identity, at, expires_at)
        fields["message"] = _base64(message)
        return Authorization(asset.network, identity, expires_at, fields)

    def to_sign(self, authorization: Authorization) -> bytes:
        """What is signed for this. WalletError when it is not this account's to sign."""
        fields = authorization.fields
        message = self._message(authorization.network, fields)
        is_written_down = fields.get("message") == _base64(message)
        if not is_written_down or authorization.identity != hashlib.sha256(message).hexdigest():
            raise WalletError("a transfer that is not the one that was written down")
        return message

    def _memo(self, extra: Json, nonce: bytes) -> tuple[str, bool]:
        """The memo, and whether it makes the payment the only one of its kind."""
        dictated = extra.get("memo")
        if dictated not in (None, ""):
            if not isinstance(dictated, str):
                raise WalletError("a seller's memo that is not text")
            return dictated, False
        return (nonce[:16].hex(), True) if self._layout.own_memo else ("", False)

    def _blockhash(
        self, network: str, extra: Json, at: datetime, *, reuse: bool
    ) -> Generator[HttpRequest, HttpResponse, Blockhash]:
        url = self._rpc_urls.get(network)
        if url is None:
            hint = extra.get("recentBlockhash")
            if not isinstance(hint, str):
                raise WalletError(
                    f"no blockhash: the seller sends none; configure chains.{network}.rpc"
                )
            return Blockhash(hint, "", at)
        kept = self._memory.recent_blockhash(network, at) if reuse else None
        if kept is not None:
            return kept
        latest = yield from solana.latest_blockhash(url)
        fetched = Blockhash(latest.blockhash, str(latest.last_valid_block_height), at)
        self._memory.blockhashes[network] = fetched
        return fetched

    def _message(self, network: str, fields: Mapping[str, str]) -> bytes:
        """What is signed, made from fields that are checked here, wherever they come from."""
        if not fields.keys() >= set(_FIELDS):
            raise WalletError("an authorization that lacks a field")
        asset = _asset(network, fields["mint"])
        if fields["payer"] != self.address:
            raise WalletError(f"a transfer from {fields['payer']}, and this is {self.address}")
        if fields["pay_to"] == self.address:
            raise WalletError("a payment to ourselves")
        if fields["decimals"] != str(asset.decimals):
            raise WalletError("a transfer with other decimals than the token's")
        if fields["source"] != token_account(self.address, asset.address):
            raise WalletError("a source that is not this wallet's token account")
        if fields["destination"] != token_account(fields["pay_to"], asset.address):
            raise WalletError("a destination that is not the payee's token account")
        if Usdc.from_wire(fields["amount"]) is None:
            raise WalletError("a transfer of something that is not an amount")
        if fields["last_valid_block_height"]:
            _number(fields["last_valid_block_height"], _U64_MAX)
        return _compile(fields)


class SolanaWallet(KeyHolder):
    """One secret key, and the transfers that it signs."""

    __slots__ = ("_account", "_key", "address")

    def __init__(self, seed: bytes, rpc_urls: Mapping[str, str], layout: Layout = STANDARD) -> None:
        """``rpc_urls``: where to ask for a blockhash, by network. WalletError: not 32 bytes."""
        if len(seed) != 32:
            raise WalletError("not a Solana secret key: it must be 32 bytes")
        self._key = SigningKey(seed)
        self._account = SolanaAccount(base58.encode(public_key(seed)), rpc_urls, layout)
        self.address = self._account.address

    def with_layout(self, layout: Layout) -> SolanaWallet:
        """See ``SolanaAccount.with_layout``."""
        wallet = SolanaWallet(bytes(self._key), {})
        wallet._account = self._account.with_layout(layout)
        return wallet

    def __repr__(self) -> str:
        return f"SolanaWallet({self.address})"

    def usdc_account(self, network: str) -> str:
        """See ``SolanaAccount.usdc_account``."""
        return self._account.usdc_account(network)

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> Generator[HttpRequest, HttpResponse, Authorization]:
        """See ``SolanaAccount.authorize``: no key is needed for it."""
        return self._account.authorize(requirements, amount, nonce, at, validity_s)

    def sign_in(self, message: SignInMessage) -> str:
        """See ``siwx.SignIn``: ed25519, in base58."""
        if is_evm(message.network):
            raise WalletError(f"a sign-in on {message.network}, and this is a Solana wallet")
        if message.address != self.address:
            raise WalletError(f"a sign-in of {message.address}, and this is {self.address}")
        return base58.encode(self._key.sign(message.text().encode()).signature)

    def sign(self, authorization: Authorization) -> dict[str, Any]:
        """The payload of scheme ``exact``. WalletError when the authorization is not ours."""
        message = self._account.to_sign(authorization)
        signature = self._key.sign(message).signature
        # The first place is the fee payer's, who signs last.
        return {"transaction": _base64(b"\x02" + bytes(64) + signature + message)}


def _compile(fields: Mapping[str, str]) -> bytes:
    """The message of this transfer, with the byte of its version before it."""
    source, mint, destination, owner, fee_payer = [
        _pubkey(fields[name], f"the transfer's {name}")
        for name in ("source", "mint", "destination", "payer", "fee_payer")
    ]
    # Whoever had two parts would have the rights of both: ours would also pay the fee.
    parts = {source, mint, destination, owner, fee_payer, TOKEN, MEMO, COMPUTE_BUDGET}
    if len(parts) != 8:
        raise WalletError("a transfer in which one account has two parts")
    amount = _number(fields["amount"], _U64_MAX).to_bytes(8, "little")
    accounts = [
        AccountMeta(key, is_signer=key == owner, is_writable=key in (source, destination))
        for key in (source, mint, destination, owner)
    ]
    transfer = bytes([_TRANSFER_CHECKED]) + amount + bytes([int(fields["decimals"])])
    instructions = [
        set_compute_unit_limit(_number(fields["compute_unit_limit"], COMPUTE_UNITS_MAX)),
        set_compute_unit_price(_number(fields["compute_unit_price"], COMPUTE_PRICE_MAX)),
        Instruction(TOKEN, transfer, accounts),
    ]
    memo = fields["memo"].encode()
    if len(memo) > MEMO_BYTES_MAX:
        raise WalletError(f"a memo of over {MEMO_BYTES_MAX} bytes")
    if memo:
        instructions.append(Instruction(MEMO, memo, []))
    blockhash = Hash(bytes(_pubkey(fields["blockhash"], "the blockhash")))
    return to_bytes_versioned(MessageV0.try_compile(fee_payer, instructions, [], blockhash))


def _asset(network: str, address: str) -> Asset:
    asset = None if is_evm(network) else find_asset(network, address)
    if asset is None:
        raise WalletError(f"no token of ours on {network} has this mint, or it is not Solana's")
    return asset


def _pubkey(text: object, what: str) -> Pubkey:
    try:
        if isinstance(text, str):
            return Pubkey.from_string(text)
    except ValueError:
        pass
    raise WalletError(f"{what} is not 32 bytes in base58")


def _number(text: str, most: int) -> int:
    if _NUMBER.fullmatch(text) is None or int(text) > most:
        raise WalletError(f"a transfer with a number that is not within 0 to {most}")
    return int(text)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
