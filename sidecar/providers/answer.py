"""What a vendor's answer says, read without trust: an object, numbers in it, its complaint.

Nothing here raises: what cannot be read was not said.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from sidecar.document import read_json, told
from sidecar.http import Headers, HttpResponse, header_values
from sidecar.x402.coding import inflate

NUMBER_MAX = 10**12  # no balance and no cost in any unit comes near it
COMPLAINT_CHARS_MAX = 200

_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,18})?", re.ASCII)


def json_object(response: HttpResponse) -> dict[str, Any]:
    """The JSON object that is the body; empty where it is none."""
    codings = header_values(response.headers, "content-encoding")
    try:
        body = inflate(response.body, codings[0]) if codings else response.body
        document = read_json(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def number(value: Any) -> Decimal | None:
    """A JSON number, or a plain decimal in a string; None for anything else."""
    match value:
        # Before int: True is 1 to Python.
        case bool():
            return None
        # NaN is within no bounds, and so falls through.
        case int() | float() if -NUMBER_MAX <= value <= NUMBER_MAX:
            return Decimal(str(value))
        case str() if _NUMBER.fullmatch(value):
            return Decimal(value)
        case _:
            return None


def cost(value: Any) -> Decimal | None:
    """A number that is not below zero: nobody is paid for asking."""
    amount = number(value)
    return amount if amount is not None and amount >= 0 else None


def header(headers: Headers, name: str) -> str:
    """The header's only value; empty where there is none, or more than one to choose from."""
    values = header_values(headers, name)
    return values[0].strip() if len(values) == 1 else ""


def complaint(response: HttpResponse) -> str:
    """A refusal's status and the error that it names, in one line that is safe to print."""
    error = json_object(response).get("error")
    if isinstance(error, dict):
        error = error.get("message")
    if error is None:
        return str(response.status)
    return f"{response.status}: {told(error, COMPLAINT_CHARS_MAX)}"
