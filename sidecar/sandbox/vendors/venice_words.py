"""Venice's challenges and terms, word for word (providers.md 1 (b))."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from sidecar.money import ATOMIC_PER_USDC, Usdc
from sidecar.sandbox.terms import encoded
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import Rail

DESCRIPTION = "Venice API"
STATEMENT = "Sign in to Venice AI"
MAX_TIMEOUT_S = 300
CHALLENGE_LIFE_S = 300

Document = dict[str, object]


class VeniceWords:
    """Makes the documents."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._options = premises.options.vendors.venice

    def terms(self) -> Document:
        """The 402 of a bare top-up: body and header alike."""
        return {"x402Version": 2, "accepts": self._accepts(self._options.top_up_min)}

    def unauthenticated(self, url: str) -> Document:
        """The 402 for a request without any credential: body and header alike."""
        accepts = self._accepts(self._options.top_up_suggested)
        for entry in accepts:
            # In this place alone, Venice writes Solana's name without its reference.
            if str(entry["network"]).startswith("solana:"):
                entry["network"] = "solana"
        return {
            "x402Version": 2,
            "error": "Authentication required",
            "resource": _resource(url),
            "accepts": accepts,
            "extensions": {"sign-in-with-x": self._challenge(url)},
            "authOptions": {
                "apiKey": "Authorization: Bearer <key>",
                "x402Wallet": "SIGN-IN-WITH-X: <base64>",
            },
        }

    def out_of_credit(self, url: str, balance: Decimal) -> tuple[Document, str]:
        """The 402 for a signed-in wallet with too little: the body, and the header's other one."""
        options = self._options
        minimum_usd = usd(options.top_up_min)
        rail = self._premises.rails[0]
        body: Document = {
            "error": "Payment required",
            "code": "PAYMENT_REQUIRED",
            "reason": "insufficient_balance",
            "currentBalanceUsd": balance,
            "minimumBalanceUsd": options.minimum_balance_usd,
            "description": DESCRIPTION,
            "suggestedTopUpUsd": usd(options.top_up_suggested),
            "minimumTopUpUsd": minimum_usd,
            "supportedTokens": ["USDC"],
            "supportedChains": ["base", "solana"],
            "topUpInstructions": {
                "step1": "POST /api/v1/x402/top-up to read the payment requirements",
                "step2": "Sign a USDC transfer authorization",
                "step3": "POST /api/v1/x402/top-up with the X-402-Payment header",
                "receiverWallet": rail.pay_to,
                "tokenAddress": rail.asset,
                "tokenDecimals": 6,
                "network": rail.network,
                "minimumAmountUsd": minimum_usd,
            },
            "siwxChallenge": self._challenge(url),
        }
        header = {
            "x402Version": 2,
            "error": "Payment required",
            "resource": _resource(url),
            "accepts": self._accepts(options.top_up_suggested),
            "extensions": {"sign-in-with-x": self._challenge(url)},
        }
        return body, encoded(header)

    def _accepts(self, amount: Usdc) -> list[Document]:
        return [_accept(rail, amount) for rail in self._premises.rails]

    def accept(self, rail: Rail) -> Document:
        """The entry of a top-up's terms for this rail."""
        return _accept(rail, self._options.top_up_min)

    def _challenge(self, url: str) -> Document:
        now = self._premises.clock.now()
        network = self._premises.chain.asset.network
        return {
            "info": {
                "domain": self._premises.authority(),
                "uri": url,
                "version": "1",
                "nonce": self._premises.entropy.token(8).hex(),
                "issuedAt": iso(now),
                "expirationTime": iso(now + timedelta(seconds=CHALLENGE_LIFE_S)),
                "statement": STATEMENT,
            },
            "supportedChains": [
                {"chainId": network, "type": "eip191"},
                {"chainId": network, "type": "eip1271"},
                {"chainId": self._premises.options.vendors.solana_network, "type": "ed25519"},
            ],
        }


def usd(amount: Usdc) -> Decimal:
    """The amount in dollars."""
    return Decimal(amount.atomic) / ATOMIC_PER_USDC


def _accept(rail: Rail, amount: Usdc) -> Document:
    # The token's EIP-712 domain; Venice writes Base's for Solana too.
    extra = {"name": rail.domain_name or "USD Coin", "version": "2"}
    if rail.fee_payer is not None:
        extra["feePayer"] = rail.fee_payer
    return {
        "scheme": "exact",
        "network": rail.network,
        "amount": str(amount.atomic),
        # Venice spells EVM tokens in lower case; base58 has no such liberty.
        "asset": rail.asset.lower() if rail.fee_payer is None else rail.asset,
        "payTo": rail.pay_to,
        "maxTimeoutSeconds": MAX_TIMEOUT_S,
        "extra": extra,
    }


def _resource(url: str) -> Document:
    return {"url": url, "description": DESCRIPTION, "mimeType": "application/json"}


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as JavaScript writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1_000:03d}Z"
