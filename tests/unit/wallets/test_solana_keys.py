"""Solana's secret keys as people keep them, and nothing of them in what is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair

from sidecar.errors import WalletError
from sidecar.logs import Redactor
from sidecar.wallets.solana_keys import key_file, make_wallet, parse_secret_key, secret_forms

SEED = bytes(range(32))
PAIR = Keypair.from_seed(SEED)
ADDRESS = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
OTHER = bytes(Keypair.from_seed(bytes(32)))
SAYS = (
    "not a Solana secret key: it must be an array of 64 numbers, base58 of 32 or 64 bytes, "
    "or 64 hexadecimal digits"
)


@pytest.mark.parametrize(
    "text",
    [
        SEED.hex(),
        f"0x{SEED.hex().upper()}",
        str(PAIR),
        PAIR.to_json(),
        json.dumps(list(bytes(PAIR))),
        "1thX6LZfHDZZKUs92febYZhYRcXddmzfzF2NvTkPNE",
        f"  {PAIR}\r\n",
    ],
)
def test_parse(text: str) -> None:
    """A key is read in each of its forms, whatever white space is around it."""
    assert SEED == parse_secret_key(text)


@given(st.binary(min_size=32, max_size=32))
def test_every_form_is_read(seed: bytes) -> None:
    """What Solana's own library writes is read, and so is what we write."""
    pair = Keypair.from_seed(seed)

    assert [seed] * 3 == [
        parse_secret_key(text) for text in (str(pair), pair.to_json(), key_file(seed))
    ]
    assert str(pair.pubkey()) == make_wallet(seed, {}).address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "correct horse",
        SEED.hex()[1:],
        str(PAIR)[:-3],
        str(PAIR) + "11",
        "1" + str(PAIR),
        str(PAIR)[:60],
        "0x" + str(PAIR),
        "[]",
        "[1, 2",
        "[" * 100_000,
        json.dumps(list(SEED)),
        json.dumps([*bytes(PAIR), 0]),
        json.dumps([*bytes(PAIR)[:-1], 256]),
        json.dumps([*bytes(PAIR)[:-1], -1]),
        json.dumps([*bytes(PAIR)[:-1], True]),
        json.dumps([*bytes(PAIR)[:-1], 1.0]),
        json.dumps([*bytes(PAIR)[:-1], "1"]),
        "\udcff" + SEED.hex(),
        "[\udcff",
    ],
)
def test_not_a_key(text: str) -> None:
    """What is not a key is refused in words that hold nothing of it, nor does their cause."""
    with pytest.raises(WalletError) as refused:
        parse_secret_key(text)

    assert SAYS == refused.value.diagnostics()
    assert refused.value.__context__ is None


@pytest.mark.parametrize("pair", [SEED + OTHER[32:], OTHER[:32] + bytes(PAIR)[32:]])
def test_halves_of_two_keys(pair: bytes) -> None:
    """A public half that is another key's would have money sent where this key cannot spend it."""
    with pytest.raises(WalletError, match="public half is another key's"):
        parse_secret_key(json.dumps(list(pair)))


def test_key_file() -> None:
    """A key is kept as the Solana CLI keeps it."""
    assert PAIR.to_json() == key_file(SEED)


def test_address() -> None:
    """The wallet of a key has its address."""
    assert ADDRESS == make_wallet(SEED, {}).address


@pytest.mark.parametrize(
    "text",
    [
        SEED.hex(),
        bytes(PAIR).hex(),
        str(PAIR),
        PAIR.to_json(),
        json.dumps(list(bytes(PAIR))),
        json.dumps(list(SEED)),
        "1thX6LZfHDZZKUs92febYZhYRcXddmzfzF2NvTkPNE",
    ],
)
def test_redacted(text: str) -> None:
    """In whatever form the key gets into a log line, it is taken out."""
    line = Redactor(secret_forms(SEED)).redact(f"bad key {text}!")

    assert line in {"bad key [redacted]!", "bad key [[redacted]]!"}
