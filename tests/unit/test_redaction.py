"""The redactor: no secret in any dress, alone or in a line."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.logs import Redactor, configure
from sidecar.payments.events import LedgerWriteFailed, TaskFailed
from tests.unit.test_logs import SECRETS, lines
from tests.unit.test_metrics import SERVED
from tests.world.fakes import FakeClock


def base58(data: bytes) -> str:
    """Digit by digit, as the first description of it does; tested by its vectors below."""
    digits = [0]
    for byte in data:
        carry = byte
        for place, digit in enumerate(digits):
            carry, digits[place] = divmod(digit * 256 + carry, 58)
        while carry:
            carry, low = divmod(carry, 58)
            digits.append(low)
    while digits and digits[-1] == 0:
        digits.pop()
    zeros = len(data) - len(data.lstrip(b"\0"))
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    return "1" * zeros + "".join(alphabet[digit] for digit in reversed(digits))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (
            b"The quick brown fox jumps over the lazy dog.",
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
        ),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
    ],
)
def test_base58_vectors(data: bytes, text: str) -> None:
    """The base58 that these tests go by meets the vectors of its Internet-Draft."""
    assert text == base58(data)


def dressed(secret: str) -> dict[str, str]:
    """A secret as it may turn up, made by other means than ours where there are any."""
    raw = secret.encode()
    standard, url_safe = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    return {
        "raw": secret,
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "0x": "0x" + raw.hex(),
        "base64": standard,
        "base64 unpadded": standard.rstrip("="),
        "base64url": url_safe,
        "base64url unpadded": url_safe.rstrip("="),
        "base58": base58(raw),
        "url": quote(secret),
        "url component": quote(secret, safe=""),
        "form": quote_plus(secret),
        "json": json.dumps(secret)[1:-1],
        "repr": repr(secret)[1:-1],
        "bytes": repr(raw)[2:-1],
    }


secret_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=80).filter(
    # Parts of the mark itself, and runs of one letter, are found in any text.
    lambda text: len(set(text)) > 3 and text.lower() not in "[redacted]"
)


@given(secret_texts, st.sampled_from(["{}", "x{}y", '{{"k": "{}"}}', "Bearer {}\n", "é {} é"]))
def test_no_secret_survives(secret: str, around: str) -> None:
    """No form of a secret is left in a redacted text, and what is around it stays."""
    redactor = Redactor([secret])
    for name, form in dressed(secret).items():
        result = redactor.redact(around.format(form))
        assert form not in result.replace("[redacted]", "\ue000"), name
        assert "[redacted]" in result, name


@given(secret_texts, st.lists(st.text()), st.lists(st.text()))
def test_finds(secret: str, before: list[str], after: list[str]) -> None:
    """A secret in any one of several texts is found, in every dress, wherever it stands."""
    redactor = Redactor([secret])
    for name, form in dressed(secret).items():
        for text in (form, f"x{form}", f"é{form}"):
            assert redactor.finds([*before, text, *after]), name
    found = redactor.finds([*before, *after])

    assert found or all(redactor.redact(text) == text for text in (*before, *after))


@given(secret_texts, st.binary(max_size=10), st.binary(max_size=10))
def test_inside_basic_auth(secret: str, before: bytes, after: bytes) -> None:
    """Inside a longer base64 text, at any of the three alignments, at most its edges are left."""
    text = base64.b64encode(before + secret.encode() + after).decode()
    result = Redactor([secret]).redact(text)

    assert "[redacted]" in result
    # A group of three bytes on either side may be cut by a neighbour.
    rest = result.replace("[redacted]", "")
    assert len(rest) <= -(-(len(before) + len(after)) * 8 // 6) + 8


@given(secret_texts)
def test_no_secret_in_a_line(secret: str) -> None:
    """No form of a secret gets through any text field of a request's line, nor a fault's."""
    for form in dressed(secret).values():
        stream = io.StringIO()
        sink = configure("json", "info", [secret], clock=FakeClock(), stream=stream)
        try:
            sink(replace(SERVED, path=form, detail=form, method=form, route=form, caller=form))
            sink(replace(SERVED, request_id=form, rule=form, payment_id=form, decision=form))
            sink(TaskFailed(form, ValueError(form)))
            sink(LedgerWriteFailed(form))
        finally:
            sink.close()
        for line in lines(stream):
            for value in line.values():
                assert not isinstance(value, str) or form not in value.replace("[redacted]", "\n")


@given(st.binary(min_size=32, max_size=32))
def test_key_bytes(key: bytes) -> None:
    """A key given as hex is known by its bytes: in hex of either case, base64, base58, repr."""
    redactor = Redactor(["0x" + key.hex()])
    forms = [
        key.hex(),
        key.hex().upper(),
        "0X" + key.hex().upper(),
        base64.b64encode(key).decode(),
        base64.urlsafe_b64encode(key).decode().rstrip("="),
        base58(key),
        repr(key),
        quote(key),
    ]

    assert [] == [form for form in forms if redactor.redact(form).find(form[1:-1]) >= 0]


def test_ordinary_text_stays() -> None:
    """A text without a secret comes back as it was."""
    text = "GET /v1/models é 0xdeadbeef [redacted]"

    assert text == Redactor(SECRETS).redact(text)
    assert text == Redactor([]).redact(text)


def test_short_hex_is_a_word() -> None:
    """A short secret that happens to be hex is known by its text alone."""
    assert "abcd" == Redactor(["61626364"]).redact("abcd")


def test_redactor_keeps_its_secrets() -> None:
    """Printing a redactor prints no secret."""
    assert "Redactor(***)" == repr(Redactor(SECRETS))
