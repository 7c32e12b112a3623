"""What is signed for a transfer and for a Permit: EIP-712's digests, from typed values.

A seller's token, payee and amount come again with each of its calls: their words are made once,
for as long as they are among the last that came. What is refused is not kept.
Source: EIP-712, EIP-3009, EIP-2612, EIP-55.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from sidecar.chains import Asset, find_asset, is_evm
from sidecar.errors import WalletError
from sidecar.money import Usdc
from sidecar.wallets.keccak import keccak256

_ADDRESS = re.compile(r"0x([0-9a-fA-F]{40})", re.ASCII)
_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_TRANSFER_TYPE = keccak256(
    b"TransferWithAuthorization(address from,address to,uint256 value,"
    b"uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
_PERMIT_TYPE = keccak256(
    b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
_ALWAYS_VALID = bytes(32)


def transfer_digest(
    network: str, token: str, parties: tuple[str, str], value: str, until: int, nonce: bytes
) -> bytes:
    """Of an EIP-3009 transfer, from payer to payee, that is valid up to ``until``, in seconds.

    ``value`` is atomic units as they are on the wire, ``nonce`` 32 bytes. WalletError when the
    token is none of ours, an address is not in EIP-55's case, or the value is no amount.
    """
    words = _transfer(*parties, value) + until.to_bytes(32, "big") + nonce
    return keccak256(_prefix(network, token) + keccak256(words))


def permit_digest(
    network: str, token: str, parties: tuple[str, str], value: str, number: bytes, until: int
) -> bytes:
    """Of an EIP-2612 Permit, from owner to spender; ``number`` is its nonce. See above."""
    terms = _party(parties[0]) + _party(parties[1]) + _amount(value)
    words = _PERMIT_TYPE + terms + number + until.to_bytes(32, "big")
    return keccak256(_prefix(network, token) + keccak256(words))


@cache
def domain_separator(asset: Asset) -> bytes:
    """The EIP-712 domain separator of a token; computed once for each row that we have."""
    return keccak256(
        _DOMAIN_TYPE
        + keccak256(asset.domain_name.encode())
        + keccak256(asset.domain_version.encode())
        + asset.chain_id.to_bytes(32, "big")
        + _party(checksum_address(asset.address))
    )


@lru_cache(maxsize=1024)
def checksum_address(address: str) -> str:
    """The address in EIP-55's case. WalletError when it is none."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise WalletError("not an EVM address: 0x and 40 hexadecimal digits")
    digits = match[1].lower()
    marks = keccak256(digits.encode("ascii")).hex()
    cased = (
        digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False)
    )
    return "0x" + "".join(cased)


@lru_cache(maxsize=256)
def token_of(network: str, address: str) -> Asset:
    """Our row for a token. WalletError where we have none."""
    asset = find_asset(network, address)
    if asset is None or not is_evm(network):
        raise WalletError(f"no token of ours on {network} has this address")
    return asset


@lru_cache(maxsize=256)
def _prefix(network: str, token: str) -> bytes:
    return b"\x19\x01" + domain_separator(token_of(network, token))


@lru_cache(maxsize=1024)
def _transfer(payer: str, payee: str, value: str) -> bytes:
    """The words of a transfer that come again with each call of one price."""
    return _TRANSFER_TYPE + _party(payer) + _party(payee) + _amount(value) + _ALWAYS_VALID


@lru_cache(maxsize=1024)
def _party(address: str) -> bytes:
    if address != checksum_address(address):
        raise WalletError("a payee whose address is not in EIP-55's case")
    return bytes(12) + bytes.fromhex(address[2:])


@lru_cache(maxsize=1024)
def _amount(value: str) -> bytes:
    amount = Usdc.from_wire(value)
    if amount is None:
        raise WalletError("a transfer of something that is not an amount")
    return amount.atomic.to_bytes(32, "big")
