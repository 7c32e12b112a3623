"""Events -> lines. What is not named here does not get into the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from json.encoder import encode_basestring_ascii as _quote
from math import floor, inf
from operator import itemgetter
from typing import Literal, TypeAlias

from sidecar.ledger.model import Payment
from sidecar.logs.faults import show_fault
from sidecar.logs.moments import Moment
from sidecar.payments.events import (
    ApprovalAsked,
    ApprovalEnded,
    BalanceObserved,
    ClockSkewMeasured,
    ConfigReloaded,
    CostObserved,
    DriftMeasured,
    Event,
    LedgerWriteFailed,
    PaymentConfirmed,
    PaymentDenied,
    PaymentInDoubt,
    PaymentPosted,
    PaymentRehearsed,
    PaymentReserved,
    PaymentUndelivered,
    PaymentVoided,
    RequestServed,
    RequestsRefused,
    SignedIn,
    TaskFailed,
    ToppedUp,
    TopUpsStopped,
    WalletBalanceObserved,
    WebhookFailed,
)
from sidecar.payments.served import Ending, Together
from sidecar.values import dataclass

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Fields: TypeAlias = dict[str, str | int | float | bool]

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
# Signing is refused past this (money-safety.md, Chains).
CLOCK_SKEW_LOUD_S = 30
SHARED_MAX = 1024
# Their lines are debug's, whatever they say, and most payments have some.
QUIET = (PaymentReserved, BalanceObserved, CostObserved, WalletBalanceObserved)
_LOUD = frozenset({"in_doubt", "undelivered", "failed"})
_HUNG_UP = 499
# Most durations are shorter, and to format a number takes twice as long as to look it up.
WHOLE_MAX = 100
_WHOLE = tuple(map(str, range(WHOLE_MAX)))
_THOUSANDTHS = tuple([f".{number:03d}" for number in range(1000)])
# A line's, wherever it is: they begin with it.
_TIMESTAMP = itemgetter(slice(len('{"timestamp":"2026-11-21T12:00:00.000Z')))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log, but for its time."""

    level: Level
    event: str
    fields: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def describe(event: Event) -> Line:  # noqa: C901, PLR0912 - one arm for each event
    """The line for an event."""
    match event:
        case RequestServed():
            return Line(request_level(event), "request", _request_fields(event))
        case PaymentReserved(payment):
            return Line("debug", "payment_reserved", _payment_fields(payment))
        case PaymentPosted(payment):
            return Line("info", "payment_posted", _payment_fields(payment))
        case PaymentConfirmed(payment):
            return Line("info", "payment_confirmed", _payment_fields(payment))
        case PaymentVoided(payment):
            return Line("info", "payment_voided", _payment_fields(payment))
        case PaymentInDoubt(payment, reason):
            fields = _payment_fields(payment) | {"reason": reason}
            return Line("warning", "payment_in_doubt", fields)
        case PaymentUndelivered(payment, reason):
            fields = _payment_fields(payment) | {"reason": reason}
            return Line("error", "payment_undelivered", fields)
        case PaymentDenied(route, caller, denied):
            fields = {"route": route, "caller": caller, "rule": denied.rule}
            return Line("warning", "payment_denied", fields | {"detail": denied.detail})
        case PaymentRehearsed(payment):
            return Line("info", "payment_rehearsed", _payment_fields(payment))
        case ApprovalAsked(payment, until):
            fields = _payment_fields(payment) | {"until": until.isoformat()}
            return Line("warning", "approval_asked", fields)
        case ApprovalEnded(payment, outcome):
            fields = _payment_fields(payment) | {"outcome": outcome}
            return Line("info", "approval_ended", fields)
        case WebhookFailed(route, payment_id, detail):
            fields = {"route": route, "payment_id": payment_id, "detail": detail}
            return Line("warning", "approval_webhook_failed", fields)
        case ToppedUp():
            loud: Level = "info" if event.outcome == "raised" else "warning"
            return Line(loud, "top_up", _top_up_fields(event))
        case TopUpsStopped(route, account, stopped):
            fields = {"route": route, "account": account}
            if stopped:
                return Line("error", "top_ups_stopped", fields)
            return Line("info", "top_ups_resumed", fields)
        case SignedIn(route, outcome):
            fields = {"route": route, "outcome": outcome}
            return Line("debug" if outcome == "ok" else "warning", "signed_in", fields)
        case BalanceObserved():
            return Line("debug", "balance", _balance_fields(event))
        case CostObserved():
            return Line("debug", "cost", _cost_fields(event))
        case WalletBalanceObserved(wallet, network, amount):
            fields = {"wallet": wallet, "network": network, "amount": str(amount)}
            return Line("debug", "wallet_balance", fields)
        case DriftMeasured(wallet, network, foreign, missing):
            fields = {"wallet": wallet, "network": network}
            apart: Level = "error" if foreign.atomic or missing.atomic else "debug"
            return Line(apart, "drift", fields | {"foreign": str(foreign), "missing": str(missing)})
        case LedgerWriteFailed(detail):
            return Line("error", "ledger_write_failed", {"detail": detail})
        case ClockSkewMeasured(network, skew_s):
            level: Level = "warning" if abs(skew_s) > CLOCK_SKEW_LOUD_S else "debug"
            return Line(level, "clock_skew", {"network": network, "skew_s": round(skew_s, 3)})
        case ConfigReloaded(_, changed, mistakes):
            if mistakes:
                return Line("error", "config_reload_failed", {"mistakes": " | ".join(mistakes)})
            return Line("info", "config_reloaded", {"changed": ", ".join(changed) or "nothing"})
        case RequestsRefused(reason, count):
            return Line("info", "requests_refused", {"reason": reason, "count": count})
        case TaskFailed(name, fault):
            return Line("error", "task_failed", {"task": name, "exception": show_fault(fault)})


def request_level(event: RequestServed) -> Level:
    """How loud a request's line is: what went well, or was refused as it should be, is not."""
    loud = event.decision in _LOUD and event.status != _HUNG_UP
    return "warning" if loud else "info"


def _request_fields(event: RequestServed) -> Fields:
    fields: Fields = {
        "request_id": event.request_id,
        "route": event.route,
        "caller": event.caller,
        "method": event.method,
        "path": event.path,
        "status": event.status,
        "duration_ms": round(event.duration_s * 1000, 3),
        "upstream_ms": round(event.upstream_s * 1000, 3),
        "decision": event.decision,
    }
    if event.rule:
        fields["rule"] = event.rule
    if event.amount is not None:
        fields["amount"] = str(event.amount)
    if event.payment_id:
        fields["payment_id"] = event.payment_id
    if event.detail:
        fields["detail"] = event.detail
    return fields


def request_json(timestamp: str, event: RequestServed) -> str:
    """``_request_fields`` as JSON, at a fraction of the encoder's price: every request pays it."""
    more = ""
    if event.rule:
        more = f',"rule":{_quote(event.rule)}'
    if event.amount is not None:
        more += f',"amount":"{event.amount}"'
    if event.payment_id:
        more += f',"payment_id":{_quote(event.payment_id)}'
    if event.detail:
        more += f',"detail":{_quote(event.detail)}'
    return (
        f'{{"timestamp":"{timestamp}","level":"{request_level(event)}","event":"request",'
        f'"request_id":{_quote(event.request_id)},"route":{_quote(event.route)},'
        f'"caller":{_quote(event.caller)},"method":{_quote(event.method)},'
        f'"path":{_quote(event.path)},"status":{event.status},'
        f'"duration_ms":{event.duration_s * 1000:.3f},"upstream_ms":{event.upstream_s * 1000:.3f},'
        f'"decision":{_quote(event.decision)}{more}}}'
    )


class RequestLines:
    """Makes the JSON lines of requests: what many of them share is made, and redacted, once.

    What differs from line to line are numbers and our own random id, which hold no secret.
    """

    def __init__(self, redact: Callable[[str], str], lowest: int) -> None:
        self._redact = redact
        self._lowest = lowest
        self._shared: dict[Ending, tuple[str, str, str] | None] = {}

    def text(self, moment: Moment, served: Together) -> str:
        """Their lines, redacted, by their moments; without those that are not loud enough."""
        lines: list[str] = []
        for ending, requests in served.items():
            if ending.detail:
                lines += [self.one(moment(each[3])[0], ending.served(each)) for each in requests]
                continue
            known = self._shared
            shared = known[ending] if ending in known else self._share(ending)
            if shared is None:
                continue
            begin, middle, end = shared
            start, until_s = "", -inf
            for request_id, took_s, waited_s, ended_s in requests:
                if ended_s >= until_s:
                    timestamp, until_s = moment(ended_s)
                    start = f'{{"timestamp":"{timestamp}"{begin}'
                took_us, waited_us = floor(took_s * 1e6 + 0.5), floor(waited_s * 1e6 + 0.5)
                took, waited = took_us // 1000, waited_us // 1000
                lines.append(
                    f"{start}{request_id}{middle}{_WHOLE[took] if took < WHOLE_MAX else took}"
                    f'{_THOUSANDTHS[took_us % 1000]},"upstream_ms":'
                    f"{_WHOLE[waited] if waited < WHOLE_MAX else waited}"
                    f"{_THOUSANDTHS[waited_us % 1000]}{end}"
                )
        return "".join(lines if len(served) < 2 else sorted(lines, key=_TIMESTAMP))

    def one(self, timestamp: str, event: RequestServed) -> str:
        """A line that is like no other, redacted; "" where it is not loud enough."""
        return self._redact(self._line(timestamp, event))

    def _line(self, timestamp: str, event: RequestServed) -> str:
        if LEVELS.index(request_level(event)) < self._lowest:
            return ""
        return request_json(timestamp, event) + "\n"

    def _share(self, ending: Ending) -> tuple[str, str, str] | None:
        # Apps choose their paths: what they can make us remember is bounded.
        if len(self._shared) >= SHARED_MAX:
            self._shared.clear()
        shared = None
        line = self._line("", ending.served(("", 0.0, 0.0, 0.0)))
        if line:
            begin, line = line.removeprefix('{"timestamp":""').split('""', 1)
            middle, end = line.rsplit('0.000,"upstream_ms":0.000', 1)
            begin, middle = f'{begin}"', f'"{middle}'
            shared = (self._redact(begin), self._redact(middle), self._redact(end))
        self._shared[ending] = shared
        return shared


def _top_up_fields(event: ToppedUp) -> Fields:
    fields: Fields = {"route": event.route, "account": event.account, "outcome": event.outcome}
    if event.detail:
        fields["detail"] = event.detail
    return fields


def _balance_fields(event: BalanceObserved) -> Fields:
    return {
        "route": event.route,
        "account": event.account,
        "balance": str(event.balance.value),
        "unit": event.balance.unit,
        "can_consume": event.balance.can_consume,
    }


def _cost_fields(event: CostObserved) -> Fields:
    return {
        "route": event.route,
        "caller": event.caller,
        "cost_usd": str(event.cost_usd),
        "estimated": event.estimated,
    }


def _payment_fields(payment: Payment) -> Fields:
    fields: Fields = {
        "payment_id": payment.id,
        "route": payment.route,
        "caller": payment.caller,
        "purpose": payment.purpose,
        "scheme": payment.scheme,
        "network": payment.network,
        "amount": str(payment.amount),
        "pay_to": payment.pay_to,
    }
    if payment.proof is not None:
        fields["proof"] = payment.proof.kind
        if payment.proof.transaction:
            fields["transaction"] = payment.proof.transaction
    return fields
