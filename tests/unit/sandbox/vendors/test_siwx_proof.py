"""Whether a sign-in holds now, and who signed it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sidecar.sandbox.vendors.siwx import SignInText, Unfit, parse
from sidecar.sandbox.vendors.siwx_proof import complaint_about_time, is_signed, moment_of
from tests.unit.sandbox.vendors.wallets import OTHER, Evm, Solana, Text, base64_signature
from tests.world.fakes import NOON

TEXT = Text(Evm(), "127.0.0.1:4020", NOON, "0123456789abcdef")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECOND = timedelta(seconds=1)


def parsed(text: object) -> SignInText:
    found = parse(str(text))
    assert isinstance(found, SignInText), found
    return found


def code(text: Text, seconds: float) -> str | None:
    complaint = complaint_about_time(
        parsed(text), NOON + timedelta(seconds=seconds), age_max_s=300, ahead_max_s=30
    )
    return complaint.code if isinstance(complaint, Unfit) else None


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [
        (TEXT, 0, None),
        (TEXT, 299, None),
        (TEXT, 300, "EXPIRED"),
        (replace(TEXT, life=None), 300, None),
        (replace(TEXT, life=None), 301, "EXPIRED"),
        (replace(TEXT, life=timedelta(minutes=10)), 301, "EXPIRED"),
        (TEXT, -30, None),
        (TEXT, -31, "FUTURE_TIMESTAMP"),
        (replace(TEXT, life=10 * SECOND), 10, "EXPIRED"),
        (replace(TEXT, life=10 * SECOND), 9, None),
        (replace(TEXT, life=-10 * SECOND), -20, "INVALID_MESSAGE"),
        (replace(TEXT, tail="\nNot Before: 2026-11-21T12:00:05Z"), 4, "NOT_BEFORE"),
        (replace(TEXT, tail="\nNot Before: 2026-11-21T12:00:05Z"), 5, None),
        (replace(TEXT, tail="\nNot Before: yesterday"), 5, "PARSE_ERROR"),
    ],
)
def test_time(text: Text, seconds: float, expected: str | None) -> None:
    """A sign-in is good for five minutes, less if it says so, and not before its time."""
    assert expected == code(text, seconds)


@pytest.mark.parametrize(
    "text",
    ["2026-11-21", "2026-13-21T12:00:00Z", "2026-11-21T12:00:00", "2026-11-21 12:00:00Z", ""],
)
def test_not_a_time(text: str) -> None:
    """A time is ISO 8601 with a zone, and exists."""
    assert moment_of(text) is None


def test_zones() -> None:
    """A zone is heeded."""
    assert NOON == moment_of("2026-11-21T14:00:00.000+02:00")


def test_signed() -> None:
    """Either kind of wallet is recognised by its own signature alone."""
    evm, solana = parsed(TEXT), parsed(replace(TEXT, wallet=Solana()))
    by_evm, by_solana = Evm().sign(evm.text), Solana().sign(solana.text)

    assert is_signed(evm, by_evm, base64_too=False)
    assert not is_signed(evm, OTHER.sign(evm.text), base64_too=False)
    assert not is_signed(evm, by_evm.removeprefix("0x"), base64_too=False)
    assert is_signed(solana, by_solana, base64_too=False)
    assert not is_signed(solana, Solana().sign("other"), base64_too=False)
    assert not is_signed(solana, by_evm, base64_too=True)
    assert not is_signed(evm, by_solana, base64_too=True)


def test_base64() -> None:
    """Solana's signature passes in base64 only where a vendor takes that."""
    found = parsed(replace(TEXT, wallet=Solana()))
    signature = base64_signature(Solana().sign(found.text))

    assert is_signed(found, signature, base64_too=True)
    assert not is_signed(found, signature, base64_too=False)
    assert not is_signed(found, signature.rstrip("="), base64_too=True)


def test_malleable() -> None:
    """The same signature with the upper s, or another v, is not taken."""
    found = parsed(TEXT)
    raw = bytes.fromhex(Evm().sign(found.text)[2:])
    upper = ORDER - int.from_bytes(raw[32:64])
    mirrored = raw[:32] + upper.to_bytes(32) + bytes([55 - raw[64]])

    assert not is_signed(found, "0x" + mirrored.hex(), base64_too=False)
    assert not is_signed(found, "0x" + raw[:64].hex() + f"{raw[64] - 27:02x}", base64_too=False)
    assert not is_signed(found, "0x" + "ff" * 64 + "1b", base64_too=False)
    assert not is_signed(found, "0x" + "00" * 64 + "1b", base64_too=False)
