"""How the money path's outcomes look to the app (money-safety.md, "What the app gets")."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted

from sidecar.document import read_json
from sidecar.errors import LedgerError, SidecarError, SignerAwayError, SignerRefusedError
from sidecar.http import Headers, HttpRequest, HttpResponse, header_values
from sidecar.ledger.model import Payment, Purchase
from sidecar.proxy.answers import Answer
from sidecar.refusal import Denied

RETRY_AFTER_S = 1.0
IDEMPOTENCY_KEY_CHARS_MAX = 255
# An app asks the same again and again: how the keys of so many of its calls begin is kept.
CALLS_KEPT = 64
# Refusals that pass by themselves: the status that SDKs retry, and after how many seconds.
_PASSING = {"draining": (503, 1.0), "in_progress": (409, 1.0), "top_up_wait": (503, 2.0)}


async def purchase_of(route: str, caller: str, outgoing: HttpRequest, headers: Headers) -> Purchase:
    """What the app believes is one call: by its Idempotency-Key, else by all that it sent."""
    keys = header_values(headers, "idempotency-key")
    if len(keys) == 1 and 0 < len(keys[0]) <= IDEMPOTENCY_KEY_CHARS_MAX:
        return Purchase(_digest(_parts("key", caller, route), keys[0]), explicit=True)
    body = hashlib.sha256(outgoing.body)
    if outgoing.stored is not None:
        async for chunk in outgoing.stored.chunks():
            body.update(chunk)
    call = _call(caller, route, outgoing.method, outgoing.url)
    return Purchase(_digest(call, body.hexdigest()), explicit=False)


def _digest(begun: str, last: str) -> str:
    return hashlib.sha256(f"[{begun}, {_quoted(last)}]".encode("ascii")).hexdigest()


def _parts(*parts: str) -> str:
    # JSON keeps the parts apart, so that no two lists of parts read alike. It is as json.dumps
    # writes it, which ledgers have keys of; to it a list costs twice as much as its texts.
    return ", ".join(map(_quoted, parts))


@lru_cache(CALLS_KEPT)
def _call(caller: str, route: str, method: str, url: str) -> str:
    return _parts("call", caller, route, method, url)


def body_too_large(replay_bytes_max: int) -> Denied:
    """The seller wants payment for a body that could not be kept."""
    return Denied(
        "body_too_large",
        f"the seller wants payment, and a body of over {replay_bytes_max} bytes is not kept to be "
        "sent again with it; raise limits.replay_bytes_max",
    )


def answer_denied(denied: Denied) -> Answer:
    """Refused by a rule: 402 that no SDK retries, with the budget where it was one."""
    if denied.rule in _PASSING:
        status, retry_after_s = _PASSING[denied.rule]
        return Answer(
            status,
            f"sidecar_{denied.rule}",
            denied.detail,
            retry=True,
            retry_after_s=retry_after_s,
            decision="denied",
            rule=denied.rule,
        )
    details: list[tuple[str, str]] = [("rule", denied.rule)]
    if denied.budget is not None:
        use = denied.budget
        details += [
            ("budget", use.name),
            ("limit", str(use.limit)),
            ("spent", str(use.spent)),
            ("reserved", str(use.reserved)),
            ("resets_at", use.resets_at.isoformat() if use.resets_at else "never"),
        ]
    return Answer(
        402,
        f"sidecar_{denied.rule}",
        denied.detail,
        retry=False,
        decision="denied",
        rule=denied.rule,
        details=tuple(details),
    )


def answer_in_doubt(payment: Payment, reason: str, retry_after_s: float | None) -> Answer:
    """An authorization is out: the same call again is safe, because it binds to it."""
    return Answer(
        503,
        "sidecar_payment_in_doubt",
        f"payment {payment.id} of {payment.amount} is in doubt ({reason}); repeat the same call: "
        "it presents the same payment, never a second one",
        retry=True,
        retry_after_s=retry_after_s or RETRY_AFTER_S,
        payment_id=payment.id,
        decision="in_doubt",
    )


def answer_undelivered(payment: Payment, reason: str) -> Answer:
    """Paid, and the seller will not serve; the next call would be a new purchase.

    Unless the app itself says that it is the same: then what it bought was delivered before.
    """
    what = "it is recorded as undelivered, and the next call will be a new purchase"
    if payment.delivered_at is not None:
        what = "its answer was delivered before; another Idempotency-Key is another purchase"
    return Answer(
        502,
        "sidecar_paid_undelivered",
        f"payment {payment.id} of {payment.amount} was made and the seller did not serve "
        f"({reason}); {what}",
        retry=False,
        payment_id=payment.id,
        decision="undelivered",
    )


def answer_fault(fault: SidecarError) -> Answer:
    """A fault of ours or of the upstream."""
    code, retry_after_s, retry = "sidecar_upstream", None, None
    if isinstance(fault, LedgerError):
        code, retry_after_s = "sidecar_ledger", 5.0
    elif isinstance(fault, SignerAwayError):
        code, retry_after_s = "sidecar_signer", 5.0
    elif isinstance(fault, SignerRefusedError):
        code, retry = "sidecar_signer_refused", False
    return Answer(
        fault.status_hint,
        code,
        fault.diagnostics(),
        retry=True if fault.status_hint >= 502 else retry,
        retry_after_s=retry_after_s,
        decision="failed",
    )


def without_challenge(refusal: HttpResponse) -> bytes | None:
    """The body of a 402 as the app may see it; None when the body is itself a challenge."""
    encoded = any(value for value in header_values(refusal.headers, "content-encoding"))
    try:
        document = None if encoded else read_json(refusal.body)
    except ValueError:
        document = None
    if isinstance(document, dict) and document.keys() & {"accepts", "x402Version"}:
        return None
    if encoded and refusal.body:
        # What cannot be read here might be a challenge.
        return None
    return refusal.body
