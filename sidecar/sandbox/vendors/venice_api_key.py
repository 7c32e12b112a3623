"""Venice by API key: balances of an owner, told but not payable by x402 (providers.md 2)."""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal

from aiohttp import web

from sidecar.sandbox.vendors.accounts import Account, VendorBooks
from sidecar.sandbox.vendors.answers import json_answer, refusal
from sidecar.sandbox.vendors.options import ApiKey
from sidecar.values import dataclass

BAD_KEY = "Authentication failed"
NOT_ADMIN = "Admin API key required"
SHORT = (
    "Insufficient USD or Diem balance to complete request. Visit "
    "https://venice.ai/settings/api to add credits."
)
OVER_LIMIT = "API key USD spend limit exceeded. Your account may still have a USD balance."


@dataclass(slots=True)
class KeyHolder:
    """A key, what its owner still has, and what was done with it."""

    key: ApiKey
    account: Account
    usd: Decimal | None = field(init=False)
    diem: Decimal | None = field(init=False)
    spent_usd: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        self.usd, self.diem = self.key.usd, self.key.diem
        # A DIEM is worth a dollar.
        self.account.balance = (self.usd or Decimal(0)) + (self.diem or Decimal(0))

    @property
    def currency(self) -> str | None:
        """What pays for the next call: DIEM first."""
        if self.diem:
            return "DIEM"
        return "USD" if self.usd else None

    @property
    def usd_left(self) -> Decimal | None:
        """The dollars that this key can reach."""
        limit = self.key.spend_limit_usd
        if self.usd is None or limit is None:
            return self.usd
        return min(self.usd, max(limit - self.spent_usd, Decimal(0)))

    def complaint(self, price: Decimal) -> str | None:
        """Why this price cannot be paid; None when it can."""
        if self.diem is not None and self.diem >= price:
            return None
        if self.usd is None or self.usd < price:
            return SHORT
        left = self.usd_left
        return OVER_LIMIT if left is not None and left < price else None

    def pay(self, price: Decimal) -> None:
        """Take the price from where it is taken first."""
        if self.diem is not None and self.diem >= price:
            self.diem -= price
        elif self.usd is not None:
            self.usd -= price
            self.spent_usd += price

    @property
    def headers(self) -> dict[str, str]:
        """What every answer to this key says, as of before the request."""
        told = {"x-venice-balance-usd": self.usd, "x-venice-balance-diem": self.diem}
        return {name: str(amount) for name, amount in told.items() if amount is not None}


class VeniceKeys:
    """The keys, and the endpoints that tell about them."""

    def __init__(self, keys: dict[str, ApiKey], books: VendorBooks) -> None:
        self._books = books
        self._holders = {
            text: KeyHolder(key, books.account(f"key:{text}")) for text, key in keys.items()
        }

    def holder(self, text: str) -> KeyHolder:
        """The holder of this key, for tests."""
        return self._holders[text]

    def admit(self, request: web.Request) -> KeyHolder | web.Response | None:
        """Whose key this request has; the 401 for a bad one; None when there is none."""
        sent = request.headers.getall("Authorization", [])
        if not sent:
            return None
        scheme, _, text = sent[0].partition(" ")
        holder = self._holders.get(text) if scheme == "Bearer" and len(sent) == 1 else None
        if holder is None:
            document = {"error": BAD_KEY}
            return refusal(self._books, request, 401, document, code="BAD_KEY")
        return holder

    def balance(self, request: web.Request, holder: KeyHolder) -> web.Response:
        """GET /billing/balance: for admin keys alone."""
        if not holder.key.admin:
            document = {"error": NOT_ADMIN}
            return refusal(holder.account, request, 401, document, code="NOT_ADMIN")
        currency = holder.currency
        return json_answer(
            {
                "canConsume": currency is not None,
                "consumptionCurrency": currency,
                "balances": {"diem": holder.diem, "usd": holder.usd},
                "diemEpochAllocation": holder.key.diem or 0,
            },
            headers=holder.headers,
        )

    def rate_limits(self, request: web.Request, holder: KeyHolder) -> web.Response:
        """GET /api_keys/rate_limits: for any key, the balances clamped by the key's limit."""
        balances = {
            "USD": holder.usd_left,
            "DIEM": holder.diem,
        }
        return json_answer(
            {
                "data": {
                    "accessPermitted": holder.currency is not None,
                    "apiTier": {"id": "paid", "isCharged": True},
                    "balances": {
                        name: amount for name, amount in balances.items() if amount is not None
                    },
                    "keyExpiration": None,
                    "nextEpochBegins": "2026-11-22T00:00:00.000Z",
                    "rateLimits": [],
                }
            },
            headers=holder.headers,
        )
