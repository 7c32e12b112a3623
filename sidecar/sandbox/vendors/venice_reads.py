"""What a wallet may read at Venice: its balance, and its transactions (providers.md 1 (d))."""

from __future__ import annotations

import re
from decimal import Decimal

from aiohttp import web

from sidecar.sandbox.vendors.accounts import (
    Account,
    Charged,
    Refused,
    SignedIn,
    ToppedUp,
    VendorBooks,
)
from sidecar.sandbox.vendors.answers import PerMinute, garbage, json_answer, refusal
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.venice_admission import VeniceAdmission
from sidecar.sandbox.vendors.venice_words import iso, usd

LIMIT_DEFAULT = 50
LIMIT_MAX = 100

_WALLET = re.compile(r"0x[a-fA-F0-9]{40}|[1-9A-HJ-NP-Za-km-z]{32,44}", re.ASCII)
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


class VeniceReads:
    """The endpoints."""

    def __init__(self, premises: Premises, books: VendorBooks, admission: VeniceAdmission) -> None:
        options = premises.options.vendors.venice
        self._options = options
        self._conduct = premises.conduct
        self._books = books
        self._admission = admission
        self._balances = PerMinute(premises.clock, options.balance_readings_per_minute)
        self._transactions = PerMinute(premises.clock, options.transaction_readings_per_minute)

    async def balance(self, request: web.Request) -> web.Response:
        """GET /x402/balance/{wallet}."""
        account = self._owner(request, self._balances)
        if isinstance(account, web.Response):
            return account
        if self._conduct.take("venice", Misdeed.BALANCE_UNREADABLE):
            return garbage()
        options = self._options
        data: dict[str, object] = {
            "walletAddress": account.holder,
            "balanceUsd": account.balance,
            "canConsume": account.balance >= options.minimum_balance_usd,
            "minimumTopUpUsd": usd(options.top_up_min),
            "suggestedTopUpUsd": usd(options.top_up_suggested),
        }
        if options.diem_usd is not None:
            data["diemBalanceUsd"] = options.diem_usd
        return json_answer({"success": True, "data": data})

    async def transactions(self, request: web.Request) -> web.Response:
        """GET /x402/transactions/{wallet}, the newest first."""
        account = self._owner(request, self._transactions)
        if isinstance(account, web.Response):
            return account
        limit = request.query.get("limit", str(LIMIT_DEFAULT))
        offset = request.query.get("offset", "0")
        if not (
            _WHOLE.fullmatch(limit) and _WHOLE.fullmatch(offset) and 0 < int(limit) <= LIMIT_MAX
        ):
            return refusal(
                account,
                request,
                400,
                {"error": "Invalid request parameters", "details": {"_errors": ["limit, offset"]}},
                code="INVALID_REQUEST",
            )
        first, last = int(offset), int(offset) + int(limit)
        rows = _rows(account)
        return json_answer(
            {
                "success": True,
                "data": {
                    "walletAddress": account.holder,
                    "currentBalance": account.balance,
                    "transactions": rows[first:last],
                    "pagination": {
                        "limit": int(limit),
                        "offset": int(offset),
                        "hasMore": last < len(rows),
                    },
                },
            }
        )

    def _owner(self, request: web.Request, rate: PerMinute) -> Account | web.Response:
        """The account that is asked about, if it is its owner who asks."""
        wallet = request.match_info["wallet"]
        if _WALLET.fullmatch(wallet) is None:
            document = {"error": "Invalid request parameters", "details": {"walletAddress": wallet}}
            return refusal(self._books, request, 400, document, code="INVALID_REQUEST")
        signed = self._admission.admit(request)
        if signed is None:
            document = {"error": "Missing Sign-in-with-x authentication"}
            return refusal(self._books, request, 401, document, code="NO_SIGN_IN")
        if isinstance(signed, web.Response):
            return signed
        account = signed.account
        named = wallet.lower() if wallet.startswith("0x") else wallet
        if named != account.holder:
            document = {"error": "Authenticated wallet does not match the requested wallet"}
            return refusal(account, request, 403, document, code="OTHER_WALLET")
        if not rate.allows(account.holder):
            document = {"error": "Rate limit exceeded"}
            return refusal(account, request, 429, document, code="RATE_LIMIT_EXCEEDED")
        return account


def _rows(account: Account) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    # What an account starts with has no row of its own.
    moved = sum((found.credited for found in account.top_ups), Decimal(0))
    moved -= sum((found.amount for found in account.charges), Decimal(0))
    balance = account.balance - moved
    for number, record in enumerate(account.records):
        match record:
            case ToppedUp():
                kind, amount, about = "TOP_UP", record.credited, record.transaction
            case Charged():
                kind, amount, about = "CHARGE", -record.amount, record.request_id
            case SignedIn() | Refused():
                continue
        balance += amount
        rows.append(
            {
                "id": f"{account.holder[-6:]}-{number}",
                "amount": amount,
                "balanceAfter": balance,
                "type": kind,
                "createdAt": iso(record.at),
                "requestId": about,
                "modelId": record.model if isinstance(record, Charged) else None,
            }
        )
    return rows[::-1]
