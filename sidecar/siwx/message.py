"""The text that a wallet signs to say who it is: EIP-4361 for EVM, its sibling for Solana.

Lines end with LF, there is none after the last, and an optional line is there only if its field
is. A field is what EIP-4361's grammar has it be, and bounded: then none of them can break out of
its line, and every text has one reading. Source: x402.md 5.1.
"""

from __future__ import annotations

import re

from sidecar.chains import NETWORK_NAMES, is_evm
from sidecar.siwx.times import read_time
from sidecar.values import dataclass

DOMAIN_CHARS_MAX = 255
STATEMENT_CHARS_MAX = 256
URI_CHARS_MAX = 2048
REQUEST_ID_CHARS_MAX = 256
RESOURCES_MAX = 16
VERSION = "1"

_KINDS = {"Ethereum": "eip155", "Solana": "solana"}

# A host and a port as RFC 3986 has them, and no user: "seller.example@evil.example" is the latter.
_AUTHORITY = r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?"
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})"
_PATH_CHAR = rf"(?:[/?]|{_PCHAR})"


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one field has to be, as a pattern and in words."""

    pattern: re.Pattern[str]
    chars_max: int
    words: str

    def check(self, name: str, value: str) -> None:
        # The length comes first, so that no pattern sees a text without bounds.
        if len(value) > self.chars_max or self.pattern.fullmatch(value) is None:
            raise ValueError(f"a sign-in whose {name} is not {self.words}")


def _rule(pattern: str, chars_max: int, words: str) -> _Rule:
    return _Rule(re.compile(pattern, re.ASCII), chars_max, words)


_DOMAIN = _rule(_AUTHORITY, DOMAIN_CHARS_MAX, "a host, with a port or without")
_EVM_ADDRESS = _rule(r"0x[0-9a-fA-F]{40}", 42, "0x and 40 hexadecimal digits")
_SOLANA_ADDRESS = _rule(r"[1-9A-HJ-NP-Za-km-z]{32,44}", 44, "32 bytes in base58")
_URI = _rule(
    rf"[A-Za-z][A-Za-z0-9+.-]*:(?://{_AUTHORITY}(?=[/?#]|\Z)|(?!//))"
    rf"{_PATH_CHAR}*(?:#{_PATH_CHAR}*)?",
    URI_CHARS_MAX,
    f"a URI of at most {URI_CHARS_MAX} characters",
)
_NONCE = _rule(r"[A-Za-z0-9]{8,64}", 64, "8 to 64 letters and digits")
_STATEMENT = _rule(
    r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;= -]+",
    STATEMENT_CHARS_MAX,
    f"1 to {STATEMENT_CHARS_MAX} of the characters that EIP-4361 allows",
)
_REQUEST_ID = _rule(
    rf"{_PCHAR}+", REQUEST_ID_CHARS_MAX, "an identifier as a URI's path can hold it"
)

_TEXT = re.compile(
    r"(?P<domain>[^\n ]+) wants you to sign in with your (?P<kind>Ethereum|Solana) account:\n"
    r"(?P<address>[^\n]+)\n\n"
    r"(?:(?P<statement>[^\n]+)\n\n|\n)?"
    r"URI: (?P<uri>[^\n]+)\n"
    r"Version: (?P<version>[^\n]+)\n"
    r"Chain ID: (?P<reference>[^\n]+)\n"
    r"Nonce: (?P<nonce>[^\n]+)\n"
    r"Issued At: (?P<issued_at>[^\n]+)"
    r"(?:\nExpiration Time: (?P<expiration_time>[^\n]+))?"
    r"(?:\nNot Before: (?P<not_before>[^\n]+))?"
    r"(?:\nRequest ID: (?P<request_id>[^\n]+))?"
    r"(?:\nResources:(?P<resources>(?:\n- [^\n]+)+))?"
)


@dataclass(frozen=True, slots=True)
class SignInMessage:
    """What a sign-in says; ValueError, with the reason, when EIP-4361 would not have it said.

    Times are text, as they stand in the message: RFC 3339.
    """

    domain: str
    address: str
    uri: str
    network: str  # CAIP-2; the text holds its reference only
    nonce: str
    issued_at: str
    statement: str | None = None
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] = ()
    version: str = VERSION

    def __post_init__(self) -> None:
        if self.network not in NETWORK_NAMES:
            raise ValueError("a sign-in on a network that we do not know")
        if self.version != VERSION:
            raise ValueError(f"a sign-in whose version is not {VERSION}")
        _DOMAIN.check("domain", self.domain)
        address_rule = _EVM_ADDRESS if is_evm(self.network) else _SOLANA_ADDRESS
        address_rule.check("address", self.address)
        _URI.check("URI", self.uri)
        _NONCE.check("nonce", self.nonce)
        _check_time("time of issue", self.issued_at)
        if self.statement is not None:
            _STATEMENT.check("statement", self.statement)
        if self.expiration_time is not None:
            _check_time("expiration time", self.expiration_time)
        if self.not_before is not None:
            _check_time("first time", self.not_before)
        if self.request_id is not None:
            _REQUEST_ID.check("request id", self.request_id)
        if len(self.resources) > RESOURCES_MAX:
            raise ValueError(f"a sign-in with over {RESOURCES_MAX} resources")
        for resource in self.resources:
            _URI.check("resource", resource)

    @classmethod
    def parse(cls, text: str) -> SignInMessage:
        """The message that has exactly this text. ValueError when none has."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError("not a sign-in: its lines are not those of EIP-4361")
        listed = match["resources"]
        message = cls(
            domain=match["domain"],
            address=match["address"],
            uri=match["uri"],
            network=f"{_KINDS[match['kind']]}:{match['reference']}",
            nonce=match["nonce"],
            issued_at=match["issued_at"],
            statement=match["statement"],
            expiration_time=match["expiration_time"],
            not_before=match["not_before"],
            request_id=match["request_id"],
            resources=tuple(listed.split("\n- ")[1:]) if listed is not None else (),
            version=match["version"],
        )
        # The two kinds differ in their empty lines, which the pattern does not tell apart.
        if message.text() != text:
            raise ValueError("not a sign-in: an empty line too many or too few")
        return message

    def text(self) -> str:
        """The exact text that is signed."""
        evm = is_evm(self.network)
        kind = "Ethereum" if evm else "Solana"
        lines = [f"{self.domain} wants you to sign in with your {kind} account:", self.address, ""]
        if self.statement is not None:
            lines += [self.statement, ""]
        elif evm:
            # EIP-4361 keeps the statement's own line, empty.
            lines.append("")
        lines += [
            f"URI: {self.uri}",
            f"Version: {self.version}",
            f"Chain ID: {self.network.partition(':')[2]}",
            f"Nonce: {self.nonce}",
            f"Issued At: {self.issued_at}",
        ]
        if self.expiration_time is not None:
            lines.append(f"Expiration Time: {self.expiration_time}")
        if self.not_before is not None:
            lines.append(f"Not Before: {self.not_before}")
        if self.request_id is not None:
            lines.append(f"Request ID: {self.request_id}")
        if self.resources:
            lines += ["Resources:", *(f"- {resource}" for resource in self.resources)]
        return "\n".join(lines)


def _check_time(name: str, value: str) -> None:
    try:
        read_time(value)
    except ValueError as fault:
        raise ValueError(f"a sign-in whose {name} is {fault}") from fault
