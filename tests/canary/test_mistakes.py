"""Secrets in the wrong place of a config, or spoilt: the message says where, and never what."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.canary import marks
from tests.canary.drive import environment
from tests.canary.needles import Haystack, Search, Secret

Spoil = Callable[[Path], None]
KEY, TOKEN, BARE = marks.EVM_FILE.hex(), marks.APP_TOKEN, marks.word("a key without a prefix")
ORIGINS = {name: "http://127.0.0.1:9" for name in (*marks.ROUTES, "rpc")}
SECRETS = (
    *marks.SECRETS,
    Secret.of("bare", BARE),
    # What is left of a key when a letter is lost, or when it is cut in two.
    Secret.of("spoilt", KEY[:-1]),
    Secret.of("half", KEY[:40]),
)


def config(old: str, new: str) -> Spoil:
    """These words of the config, replaced."""

    def spoil(folder: Path) -> None:
        path = folder / "sidecar.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return spoil


def file(name: str, text: str | bytes) -> Spoil:
    """Another secret in this file."""
    data = text if isinstance(text, bytes) else text.encode()

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return spoil


IN_FILE, IN_ENV = "{file: evm.key}", "{env: CANARY_EVM_KEY}"
CASES: dict[str, Spoil] = {
    "a key without its last digit": file("evm.key", KEY[:-1]),
    "a key with a letter that is none": file("evm.key", KEY[:-1] + "g"),
    "a key in two lines": file("evm.key", f"{KEY[:40]}\n{KEY[40:]}"),
    "a key in quotes": file("evm.key", f'"{KEY}"'),
    "a key and a byte that is no text": file("evm.key", KEY.encode() + b"\xff"),
    "a Solana key with a number too many": file("sol.key", marks.ARRAY[:-1] + ",7]"),
    "a Solana key with another public half": file("sol.key", marks.ARRAY[:-3] + "7]"),
    "a Solana key in base58, cut": file("sol.key", marks.SECRETS[4].values[1][:-1]),
    "a keystore that is a key": file("keystore.json", KEY),
    "a keystore that is JSON": file("keystore.json", json.dumps({"key": KEY, "version": 3})),
    "a key itself": config(IN_FILE, f"0x{KEY}"),
    "a key itself, quoted": config(IN_FILE, f'"{KEY}"'),
    "a key for a file": config(IN_FILE, f"{{file: {KEY}}}"),
    "a spoilt key for a file": config(IN_FILE, f"{{file: {KEY[:-1]}}}"),
    "half a key for a file": config(IN_FILE, f"{{file: 0x{KEY[:40]}}}"),
    "a key for a variable": config(IN_ENV, f"{{env: {KEY}}}"),
    "a spoilt key for a variable": config(IN_ENV, f"{{env: a{KEY[:-1]}}}"),
    "a key for a place": config(IN_FILE, f"{{0x{KEY}: file}}"),
    "a key for a wallet's setting": config("kind: evm, key: {file", f"{KEY}: 1, key: {{file"),
    "an API key for a variable": config("{env: CANARY_API_KEY}", f"{{env: {marks.API_KEY}}}"),
    "an API key for a file": config("{env: CANARY_API_KEY}", f"{{file: {marks.API_KEY}}}"),
    "an API key itself": config("{env: CANARY_API_KEY}", marks.API_KEY),
    "a bare API key for a file": config("{env: CANARY_API_KEY}", f"{{file: {BARE}}}"),
    "a token for a file": config("{file: app.token}", f"{{file: {TOKEN}}}"),
    "a token itself": config("{file: app.token}", TOKEN),
    "a password itself": config("{env: CANARY_PASSWORD}", f'"{marks.PASSWORD}"'),
    "a password for a variable": config("{env: CANARY_PASSWORD}", f'{{env: "{marks.PASSWORD}"}}'),
    "an RPC key in a URL that is wrong": config("/rpc?key=", "/r pc?key="),
    "an upstream with a key": config("wallet: vars", f"api_key: {marks.API_KEY}\n    wallet: vars"),
    "a key where YAML breaks": config(IN_FILE, f"{{file: {KEY}"),
    "a key for the address": config("pay_per_request", marks.API_KEY),
}


async def complaints(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The exit status of ``sidecar check`` in each case, and all that it printed."""
    jobs = []
    for case, spoil in CASES.items():
        place = folder / case.replace(" ", "-")
        place.mkdir(mode=0o700)
        marks.write_world(place, 1, 2, ORIGINS)
        spoil(place)
        jobs.append((["check", "--json", "--config", str(place / "sidecar.yaml")], ""))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.canary.shell"),
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate(json.dumps(jobs).encode())
    said = printed.split(b"$ sidecar check ")[1:]
    statuses = [int(words.rpartition(b"\n= ")[2]) for words in said]
    return dict(zip(CASES, zip(statuses, said, strict=True), strict=True))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, bytes]]:
    """What is said to each."""
    return asyncio.run(complaints(tmp_path_factory.mktemp("mistakes")))


@pytest.mark.parametrize("case", CASES)
def test_says_where_and_not_what(said: dict[str, tuple[int, bytes]], case: str) -> None:
    """A mistake with a secret is refused, and the message holds no part of it that is of use."""
    status, words = said[case]

    assert 2 == status, words.decode()
    assert [] == Search(SECRETS).finds(Haystack(case, words)), words.decode()
