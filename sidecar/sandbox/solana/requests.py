"""What a Solana JSON-RPC request may say, read as a validator reads it."""

from __future__ import annotations

import base64

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from sidecar.sandbox.jsonrpc import INVALID_PARAMS, Params, RpcError, at, object_in
from sidecar.sandbox.solana import base58
from sidecar.sandbox.solana.blocks import Commitment
from sidecar.sandbox.solana.rules import TRANSACTION_BYTES_MAX
from sidecar.values import dataclass

BASE58_TRANSACTION_DIGITS_MAX = 1_683


@dataclass(frozen=True, slots=True)
class Config:
    """The object that most methods take last, and may be left out."""

    fields: dict[str, object]

    @classmethod
    def at(cls, params: Params, position: int) -> Config:
        """The object in this place; an empty one where there is none."""
        found = params[position] if len(params) > position else None
        return cls({} if found is None else object_in(found))

    @property
    def commitment(self) -> Commitment:
        """How sure the reader wants to be; finalized, when it does not say."""
        return self.commitment_in("commitment", Commitment.FINALIZED)

    def commitment_in(self, key: str, default: Commitment) -> Commitment:
        """The commitment of this name."""
        wanted = self.fields.get(key) or default
        try:
            return Commitment(str(wanted))
        except ValueError:
            raise RpcError(
                INVALID_PARAMS, f"Invalid params: unknown variant `{str(wanted)[:50]}`."
            ) from None

    @property
    def settled_commitment(self) -> Commitment:
        """For methods that read the history, which has no processed blocks."""
        commitment = self.commitment
        if commitment is Commitment.PROCESSED:
            raise RpcError(INVALID_PARAMS, "Method does not support commitment below `confirmed`")
        return commitment

    def flag(self, key: str) -> bool:
        """Whether this is asked for."""
        return self.fields.get(key) is True

    def text(self, key: str, default: str) -> str:
        """The text of this name."""
        found = self.fields.get(key)
        return default if found is None else str(found)

    def whole(self, key: str, default: int) -> int:
        """The number of this name."""
        found = self.fields.get(key)
        if found is None:
            return default
        return _whole(found)


def number_at(params: Params, position: int) -> int:
    """The whole number in this place."""
    return _whole(at(params, position))


def address_at(params: Params, position: int) -> Pubkey:
    """The address in this place."""
    try:
        return Pubkey.from_string(str(at(params, position)))
    except ValueError:
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def blockhash_at(params: Params, position: int) -> Hash:
    """The blockhash in this place."""
    try:
        return Hash.from_string(str(at(params, position)))
    except ValueError:
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def signature_in(value: object) -> str:
    """A signature, as it is written."""
    try:
        return str(Signature.from_string(str(value)))
    except ValueError:
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def transaction_at(params: Params, position: int, encoding: str) -> VersionedTransaction:
    """The transaction in this place. Base58 where the request does not say otherwise."""
    text = str(at(params, position))
    try:
        match encoding:
            case "base64":
                raw = base64.b64decode(text.encode(), validate=True)
            case "base58" if len(text) <= BASE58_TRANSACTION_DIGITS_MAX:
                raw = base58.decoded(text)
            case _:
                raise RpcError(INVALID_PARAMS, f"unsupported encoding: {encoding[:50]}")
        if len(raw) > TRANSACTION_BYTES_MAX:
            raise RpcError(INVALID_PARAMS, f"too large: {len(raw)} bytes")
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except (ValueError, SanitizeError) as error:
        raise RpcError(
            INVALID_PARAMS, f"failed to deserialize VersionedTransaction: {error}"
        ) from None
    return transaction


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise RpcError(INVALID_PARAMS, "Invalid params: expected u64.")
    return value
