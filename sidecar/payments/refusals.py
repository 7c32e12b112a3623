"""A seller's refusal in a few words, for the log and for the app's error message."""

from __future__ import annotations

from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpResponse
from sidecar.x402.codec import read_payment_required
from sidecar.x402.receipt import read_settlement

REASON_CHARS_MAX = 200


def reason_of(response: HttpResponse) -> str:
    """``402: <what the seller says>``: from its receipt, else from its challenge; bounded."""
    receipt = read_settlement(response.headers)
    said = receipt.error_reason if receipt is not None else ""
    if not said:
        try:
            required = read_payment_required(response)
        except RemoteProtocolError as fault:
            said = fault.diagnostics()
        else:
            said = required.error if required is not None else ""
    words = "".join(char if char.isprintable() else " " for char in said)[:REASON_CHARS_MAX]
    return f"{response.status}: {words}" if words else str(response.status)
