"""Keys and passwords that are piped in or typed on a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.shell import ADDRESS, KEY, on_terminal, sidecar, write_config


@pytest.mark.parametrize("text", [f"0x{KEY.hex()}\n", KEY.hex()])
def test_import_from_a_pipe(tmp_path: Path, text: str) -> None:
    """A key that is piped in is kept, and only its address comes out."""
    ran = sidecar(tmp_path, "wallet", "import", "--out", "evm.key", given=text)

    assert (0, f"{ADDRESS}\n", "") == (ran.returncode, ran.stdout, ran.stderr)
    assert f"0x{KEY.hex()}\n" == (tmp_path / "evm.key").read_text()


def test_nobody_to_ask(tmp_path: Path) -> None:
    """Without a terminal and a password file, a keystore is not made."""
    ran = sidecar(tmp_path, "wallet", "new", "--keystore", "--out", "k.json")

    assert (2, "password: no terminal to ask on; use --password-file\n") == (
        ran.returncode,
        ran.stderr,
    )
    assert not (tmp_path / "k.json").exists()


def test_typed_key(tmp_path: Path) -> None:
    """A key that is typed does not show on the terminal."""
    status, shown = on_terminal(tmp_path, KEY.hex() + "\n", "wallet", "import", "--out", "evm.key")

    assert (0, f"Private key: \r\n{ADDRESS}\r\n") == (status, shown)


def test_typed_password(tmp_path: Path) -> None:
    """A new password is typed twice, and the keystore opens with it."""
    status, shown = on_terminal(
        tmp_path, "horse\nhorse\n", "wallet", "new", "--keystore", "--out", "k.json"
    )
    address = shown.splitlines()[-1]

    assert (0, f"Password: \r\nThe same again: \r\n{address}\r\n") == (status, shown)
    assert (0, f"Password: \r\n{address}\r\n") == on_terminal(
        tmp_path, "horse\n", "wallet", "address", "--keystore", "--key-file", "k.json"
    )


@pytest.mark.parametrize(
    ("typed", "mistake"),
    [
        ("horse\nhouse\n", "password: the two differ; type them again"),
        ("\n\n", "password: empty; choose one"),
        ("\x04", "password: none was typed; type one or use --password-file"),
    ],
)
def test_wrong_password(tmp_path: Path, typed: str, mistake: str) -> None:
    """Passwords that differ, or that are none, make no keystore."""
    status, shown = on_terminal(tmp_path, typed, "wallet", "new", "--keystore", "--out", "k.json")

    assert (2, mistake) == (status, shown.splitlines()[-1])
    assert not (tmp_path / "k.json").exists()


def test_table_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the columns are aligned, under a bold header."""
    write_config(tmp_path)

    status, shown = on_terminal(tmp_path, "", "wallet", "address")
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()]

    assert (0, ["WALLET  ADDRESS", f"main    {ADDRESS}"]) == (status, lines)
    assert shown.startswith("\x1b[1mWALLET")
