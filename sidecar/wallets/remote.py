"""A wallet whose key is elsewhere: it draws its payments up here, and asks a signer to sign them.

The account knows the address and no key. What is asked is typed (a sign-in, an authorization), so
a signer makes every byte that it signs itself. How it is reached is the line's business.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sidecar.errors import SignerRefusedError, WalletError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.refusal import Denied
from sidecar.siwx import SignInMessage
from sidecar.wallets import WalletKind
from sidecar.wallets.evm import EvmAccount
from sidecar.wallets.nonces import NonceSecret
from sidecar.wallets.solana_layout import Layout
from sidecar.x402.types import Authorization, PaymentRequirements

if TYPE_CHECKING:
    from sidecar.wallets.solana import SolanaAccount

Account: TypeAlias = "EvmAccount | SolanaAccount"

# What a signer can be asked.
ADDRESS = "address"
NONCES = "nonces"
SIGN_IN = "sign_in"
ADMIT = "admit"
SIGN = "sign"
# The one of its refusals that is no rule but a fault: it cannot write down what it signs.
JOURNAL = "journal"


class SignerLine(Protocol):
    """The way to a signer.

    SignerRefusedError where a rule of its own says no, SignerAwayError where nobody answers
    within a named limit, another WalletError where the answer is nonsense.
    """

    def ask(self, question: Mapping[str, Any]) -> Any:
        """What it answers. It blocks: for what costs the signer no write."""
        ...

    async def answer(self, question: Mapping[str, Any]) -> Any:
        """What it answers, awaited."""
        ...


class RemoteWallet:
    """An address whose key a signer keeps. See ``PaymentSigner`` and ``siwx.SignIn``."""

    __slots__ = ("_account", "_line", "address")

    def __init__(self, account: Account, line: SignerLine) -> None:
        self._account = account
        self._line = line
        self.address = account.address

    def __repr__(self) -> str:
        return f"RemoteWallet({self.address})"

    @property
    def kind(self) -> WalletKind:
        """The kind of key that the signer keeps."""
        return "evm" if isinstance(self._account, EvmAccount) else "solana"

    def with_layout(self, layout: Layout) -> RemoteWallet:
        """The same wallet, for a provider that wants Solana transactions otherwise."""
        if isinstance(self._account, EvmAccount):
            return self
        return RemoteWallet(self._account.with_layout(layout), self._line)

    def usdc_account(self, network: str) -> str:
        """Where a chain is asked about this wallet's USDC: an EVM wallet holds it itself."""
        account = self._account
        return account.address if isinstance(account, EvmAccount) else account.usdc_account(network)

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> Generator[HttpRequest, HttpResponse, Authorization]:
        """See ``PaymentSigner``; the signer is asked later, to admit it."""
        return self._account.authorize(requirements, amount, nonce, at, validity_s)

    def nonce_secret(self) -> NonceSecret:
        """See ``EvmWallet``: of an EVM key, and asked once. It blocks as a sign-in does."""
        return NonceSecret.parse(self._line.ask({"method": NONCES}))

    def sign_in(self, message: SignInMessage) -> str:
        """See ``siwx.SignIn``. It blocks for as long as the line's limit allows."""
        # A field that is not there has no place in the question either.
        said = {name: value for name, value in asdict(message).items() if value is not None}
        signature = self._line.ask({"method": SIGN_IN, "message": said})
        if not isinstance(signature, str):
            raise WalletError("the signer's answer is not a signature")
        return signature

    async def admit(self, authorization: Authorization) -> Denied | None:
        """See ``PaymentSigner``: the signer looks at its rules, and keeps room in its windows."""
        try:
            await self._line.answer(_about(ADMIT, authorization))
        except SignerRefusedError as fault:
            return Denied("signer_refused", fault.diagnostics())
        return None

    async def payload(self, authorization: Authorization) -> dict[str, Any]:
        """See ``PaymentSigner``."""
        # What is malformed need not be asked; and a Permit's number is out from here on.
        self._account.to_sign(authorization)
        payload = await self._line.answer(_about(SIGN, authorization))
        if not isinstance(payload, dict):
            raise WalletError("the signer's answer is not a payload")
        return payload


def _about(method: str, authorization: Authorization) -> Mapping[str, Any]:
    """The question, with all that the authorization says."""
    said = {
        "network": authorization.network,
        "identity": authorization.identity,
        "expires_at": int(authorization.expires_at.timestamp()),
        "fields": dict(authorization.fields),
    }
    return {"method": method, "authorization": said}


def remote_wallet(line: SignerLine, rpc_urls: Mapping[str, str]) -> RemoteWallet:
    """The wallet of the signer that is there, as it names itself. WalletError when none is."""
    match line.ask({"method": ADDRESS}):
        case {"kind": "evm", "address": str(address)}:
            return RemoteWallet(account_of("evm", address, rpc_urls), line)
        case {"kind": "solana", "address": str(address)}:
            return RemoteWallet(account_of("solana", address, rpc_urls), line)
        case _:
            raise WalletError("the signer's answer is not an address")


def account_of(kind: WalletKind, address: str, rpc_urls: Mapping[str, str]) -> Account:
    """The account at this address; ``rpc_urls`` are where it may ask. WalletError: no address."""
    match kind:
        case "evm":
            return EvmAccount(address, rpc_urls)
        case "solana":
            # As in ``keys``: its libraries are for those who have such a key.
            from sidecar.wallets.solana import SolanaAccount  # noqa: PLC0415 - see above

            return SolanaAccount(address, rpc_urls)
