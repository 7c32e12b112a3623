"""Sign-in texts (CAIP-122), parsed strictly line by line.

EIP-4361's grammar for Ethereum and its sibling for Solana: LF only, no line after the last, the
optional lines in their order, nothing else. Written apart from the sidecar's own code.
Source: x402.md 5.1, providers.md 1 (a) and 5 (a).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sidecar.sandbox.addresses import checksummed, is_address
from sidecar.sandbox.solana import base58
from sidecar.values import dataclass

TEXT_CHARS_MAX = 4_096
# A signature has 88. Reading base58 takes quadratic time.
BASE58_DIGITS_MAX = 128

_FIRST = re.compile(
    r"(?P<domain>[A-Za-z0-9.\-]+(?::[0-9]{1,5})?|\[[0-9a-f:]+\](?::[0-9]{1,5})?)"
    r" wants you to sign in with your (?P<kind>Ethereum|Solana) account:",
    re.ASCII,
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[!-~]+", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9]{8,}", re.ASCII)
_PRINTABLE = re.compile(r"[ -~]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Not a sign-in: Venice's name for what is wrong, without its prefix, and what was seen."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class SignInText:
    """What a sign-in text says, in the text's own words."""

    text: str
    domain: str
    kind: str  # Ethereum or Solana
    address: str
    statement: str | None
    uri: str
    chain_id: str
    nonce: str
    issued_at: str
    expiration_time: str | None
    not_before: str | None
    request_id: str | None
    resources: tuple[str, ...]

    @property
    def network(self) -> str:
        """The chain that it names, as CAIP-2. Solana's may be written either way."""
        space = "eip155" if self.kind == "Ethereum" else "solana"
        return f"{space}:{self.chain_id.removeprefix('solana:')}"

    @property
    def wallet(self) -> str:
        """The address as vendors key their accounts: lower case for EVM, as it is for Solana."""
        return self.address.lower() if self.kind == "Ethereum" else self.address


class _UnfitError(Exception):
    """Carries the refusal from the line where it was found to the one place that returns it."""

    def __init__(self, code: str, detail: str) -> None:
        self.unfit = Unfit(code, detail)
        super().__init__(detail)


class _Lines:
    """The lines of a text, taken one after the other."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._next = 0

    @property
    def rest(self) -> list[str]:
        return self._lines[self._next :]

    def take(self) -> str:
        """The next line."""
        if not self.rest:
            raise _UnfitError("PARSE_ERROR", "the text ends too early")
        self._next += 1
        return self._lines[self._next - 1]

    def blank(self) -> None:
        """The next line, which must be empty."""
        if (line := self.take()) != "":
            raise _UnfitError("PARSE_ERROR", f"a line that must be empty says {line!r}")

    def field(self, name: str) -> str:
        """The value of the next line, which must have this name."""
        line = self.take()
        if not line.startswith(f"{name}: ") or line == f"{name}: ":
            raise _UnfitError("PARSE_ERROR", f"{name} expected, not {line!r}")
        return line.removeprefix(f"{name}: ")

    def optional(self, name: str) -> str | None:
        """The value of the next line if it has this name."""
        return self.field(name) if self.rest and self.rest[0].startswith(f"{name}:") else None


def parse(text: str) -> SignInText | Unfit:
    """Read a sign-in text."""
    try:
        return _parsed(text)
    except _UnfitError as error:
        return error.unfit


def _parsed(text: str) -> SignInText:
    if len(text) > TEXT_CHARS_MAX:
        raise _UnfitError("PARSE_ERROR", f"over {TEXT_CHARS_MAX} characters")
    lines = _Lines(text)
    if any(_PRINTABLE.fullmatch(line) is None for line in lines.rest):
        raise _UnfitError("PARSE_ERROR", "a character that is not printable ASCII")
    first = lines.take()
    head = _FIRST.fullmatch(first)
    if head is None:
        raise _UnfitError("PARSE_ERROR", f"not the first line of a sign-in: {first!r}")
    ethereum = head["kind"] == "Ethereum"
    address = lines.take()
    _check_address(address, ethereum=ethereum)
    lines.blank()
    statement = _statement(lines, ethereum=ethereum)
    uri = lines.field("URI")
    if _URI.fullmatch(uri) is None:
        raise _UnfitError("PARSE_ERROR", f"not a URI: {uri!r}")
    if (version := lines.field("Version")) != "1":
        raise _UnfitError("INVALID_MESSAGE", f"version {version!r}")
    chain_id = lines.field("Chain ID")
    nonce = lines.field("Nonce")
    if _NONCE.fullmatch(nonce) is None:
        raise _UnfitError("MISSING_NONCE", f"not eight or more letters and digits: {nonce!r}")
    found = SignInText(
        text=text,
        domain=head["domain"],
        kind=head["kind"],
        address=address,
        statement=statement,
        uri=uri,
        chain_id=chain_id,
        nonce=nonce,
        issued_at=lines.field("Issued At"),
        expiration_time=lines.optional("Expiration Time"),
        not_before=lines.optional("Not Before"),
        request_id=lines.optional("Request ID"),
        resources=_resources(lines),
    )
    if lines.rest:
        raise _UnfitError("PARSE_ERROR", f"a line too many: {lines.rest[0]!r}")
    return found


def _check_address(address: str, *, ethereum: bool) -> None:
    if ethereum:
        if not is_address(address):
            raise _UnfitError("INVALID_WALLET", f"not an address: {address!r}")
        if address != checksummed(address):
            raise _UnfitError("INVALID_MESSAGE", f"{address} is not spelled as EIP-55 does")
    elif len(base58_bytes(address) or b"") != 32:
        raise _UnfitError("INVALID_WALLET", f"not a public key: {address!r}")


def _statement(lines: _Lines, *, ethereum: bool) -> str | None:
    """The statement. Without one, EIP-4361 keeps its line, empty; Solana's sibling does not."""
    if not ethereum and lines.rest and lines.rest[0].startswith("URI: "):
        return None
    statement = lines.take()
    if statement == "" and ethereum:
        return None
    if statement == "":
        raise _UnfitError("PARSE_ERROR", "an empty statement")
    lines.blank()
    return statement


def _resources(lines: _Lines) -> tuple[str, ...]:
    if not lines.rest or lines.rest[0] != "Resources:":
        return ()
    lines.take()
    found = []
    while lines.rest:
        line = lines.take()
        if not line.startswith("- ") or _URI.fullmatch(line[2:]) is None:
            raise _UnfitError("PARSE_ERROR", f"not a resource: {line!r}")
        found.append(line[2:])
    return tuple(found)


def base58_bytes(text: str) -> bytes | None:
    """The bytes of this base58; None when it is none."""
    if not 0 < len(text) <= BASE58_DIGITS_MAX:
        return None
    try:
        return base58.decoded(text)
    except ValueError:
        return None


def text_of(fields: Mapping[str, str], resources: tuple[str, ...]) -> str:
    """The text that these fields of a structured sign-in stand for, its chain id bare.

    The keys are those of the x402 extension's header.
    """
    space, _, reference = fields["chainId"].partition(":")
    ethereum = space == "eip155"
    kind = "Ethereum" if ethereum else "Solana"
    # Without a statement EIP-4361 keeps its line, empty; Solana's sibling does not.
    unstated = "\n" if ethereum else ""
    middle = f"{fields['statement']}\n\n" if "statement" in fields else unstated
    named = (
        ("Expiration Time", "expirationTime"),
        ("Not Before", "notBefore"),
        ("Request ID", "requestId"),
    )
    optional = "".join(f"\n{name}: {fields[key]}" for name, key in named if key in fields)
    listed = "".join(f"\n- {resource}" for resource in resources)
    return (
        f"{fields['domain']} wants you to sign in with your {kind} account:\n"
        f"{fields['address']}\n\n{middle}"
        f"URI: {fields['uri']}\nVersion: {fields['version']}\nChain ID: {reference}\n"
        f"Nonce: {fields['nonce']}\nIssued At: {fields['issuedAt']}{optional}"
        + (f"\nResources:{listed}" if resources else "")
    )
