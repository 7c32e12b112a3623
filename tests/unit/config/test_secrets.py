"""Secrets, fetched from where the config says they are kept."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest

from sidecar.config.model import Secret, SecretKind, SecretRef
from sidecar.config.secrets import ensure_token, forget_variables, open_secret, secret_refs
from sidecar.errors import ConfigError
from sidecar.wallets.keystore import encrypt
from tests.unit.config.configs import KEYED, changed, parsed

KEY = bytes(31) + b"\x07"


class Counting:
    """An entropy whose bytes are known."""

    def token(self, size: int) -> bytes:
        return bytes(range(size))


def in_file(path: Path, content: bytes | str) -> SecretRef:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return SecretRef(SecretKind.FILE, str(path), path="wallets.main.key")


def said(ref: SecretRef, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        open_secret(ref, environ or {})
    return str(caught.value)


def test_secret_hides() -> None:
    """A secret shows in no text, and goes into no pickle."""
    secret = Secret("sk-5e5e")

    assert ["Secret(***)"] * 3 == [repr(secret), str(secret), f"{secret}"]
    assert "sk-5e5e" == secret.reveal()
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_secret_is_compared() -> None:
    """Two secrets are equal when what they hold is; a text is no secret."""
    assert Secret("a") == Secret("a")
    assert {Secret("a")} == {Secret("a"), Secret("a")}
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_ref_is_whole() -> None:
    """A keystore has a password, and nothing else has one."""
    password = SecretRef(SecretKind.ENV, "P")

    with pytest.raises(ValueError, match="a keystore has a password"):
        SecretRef(SecretKind.KEYSTORE, "k.json")
    with pytest.raises(ValueError, match="nothing else has one"):
        SecretRef(SecretKind.FILE, "k", password)


@pytest.mark.parametrize("content", ["a b", "a b\n", "a b\r\n"])
def test_file(tmp_path: Path, content: str) -> None:
    """A secret in a file is its one line, without the line's end."""
    assert Secret("a b") == open_secret(in_file(tmp_path / "key", content), {})


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "empty or not set; put the secret there"),
        (b"\n", "empty or not set; put the secret there"),
        (b"  \n", "empty or not set; put the secret there"),
        (b"a\nb\n", "more than one line, or control characters; keep one line"),
        (b"a\x00", "more than one line, or control characters; keep one line"),
        (b"\xff", "not text; put the secret there in UTF-8"),
    ],
)
def test_wrong_file(tmp_path: Path, content: bytes, wrong: str) -> None:
    """A file that holds no secret is refused under the config's path and its own."""
    ref = in_file(tmp_path / "key", content)

    assert f"wallets.main.key: {tmp_path}/key: {wrong}" == said(ref)


def test_variable() -> None:
    """A variable is read and left in place: another key may name it, too."""
    environ = {"KEY": "text"}

    assert Secret("text") == open_secret(SecretRef(SecretKind.ENV, "KEY"), environ)
    assert {"KEY": "text"} == environ


@pytest.mark.parametrize("environ", [{}, {"KEY": ""}])
def test_wrong_variable(environ: dict[str, str]) -> None:
    """A variable that is unset or empty is refused."""
    ref = SecretRef(SecretKind.ENV, "KEY", path="routes.a.api_key")

    assert "routes.a.api_key: $KEY: empty or not set; put the secret there" == said(ref, environ)


def test_variable_that_is_no_text() -> None:
    """A variable whose bytes are no text is refused without a traceback."""
    assert "$KEY: not text; put the secret there in UTF-8" == said(
        SecretRef(SecretKind.ENV, "KEY"), {"KEY": "\udcff"}
    )


def keystore_ref(tmp_path: Path, password: str) -> SecretRef:
    keystore = encrypt(KEY, "correct horse", kdf="pbkdf2", iterations=2)
    path = tmp_path / "keystore.json"
    in_file(path, json.dumps(keystore))
    kept = SecretRef(SecretKind.ENV, password, path="wallets.main.key.keystore.password")
    return SecretRef(SecretKind.KEYSTORE, str(path), kept, "wallets.main.key")


def test_keystore(tmp_path: Path) -> None:
    """A keystore is opened by a child, with a password that is kept somewhere else."""
    ref = keystore_ref(tmp_path, "P")

    assert Secret(KEY.hex()) == open_secret(ref, {"P": "correct horse"})


def test_wrong_keystore(tmp_path: Path) -> None:
    """A wrong password, a password that is missing and a file that is no keystore are told."""
    ref = keystore_ref(tmp_path, "P")
    file = tmp_path / "keystore.json"

    assert (
        f"wallets.main.key: {file}: the keystore's password is wrong; "
        "check the keystore and its password"
    ) == said(ref, {"P": "wrong"})
    assert (
        "wallets.main.key.keystore.password: $P: empty or not set; put the secret there"
    ) == said(ref)
    file.write_text("5")
    assert (
        f"wallets.main.key: {file}: not a keystore: it must be a JSON object of version 3; "
        "check the keystore and its password"
    ) == said(ref, {"P": "x"})
    file.write_text("{")
    assert f"wallets.main.key: {file}: not JSON; name a keystore of version 3" == said(
        ref, {"P": "x"}
    )


def test_every_ref() -> None:
    """Every place that the config names is listed: wallets, callers, API keys."""
    assert ["/etc/sidecar/evm.key", "/etc/sidecar/aider.token", "OPENAI_API_KEY"] == [
        ref.where for ref in secret_refs(parsed(changed("hosts", to=[])))
    ]


def test_forget_variables() -> None:
    """The variables that hold secrets leave the environment, each once, and no others do."""
    keystore = {"keystore": {"file": "k.json", "password": {"env": "P"}}}
    config = parsed(
        changed("wallets", to={"main": {"kind": "evm", "key": keystore}}).replace(
            "keyed:", "second:"
        )
    )
    environ = {"P": "1", "OPENAI_API_KEY": "2", "PATH": "/bin"}

    assert {"P": "1", "OPENAI_API_KEY": "2"} == forget_variables(config, environ)
    assert {"PATH": "/bin"} == environ
    assert {} == forget_variables(config, environ)


def test_shared_variable() -> None:
    """Two routes may use the same variable."""
    config = parsed(changed("routes", to={"a": KEYED, "b": KEYED}))
    environ = {"OPENAI_API_KEY": "sk-1"}

    assert [Secret("sk-1")] * 2 == [
        open_secret(ref, environ) for ref in secret_refs(config) if ref.kind is SecretKind.ENV
    ]


def test_token_is_made_once(tmp_path: Path) -> None:
    """The first start makes a token that looks like an API key; later ones read it."""
    path = tmp_path / "state" / "caller.token"
    made, was_made = ensure_token(path, Counting())

    assert was_made
    assert re.fullmatch(r"sk-sidecar-[A-Za-z0-9_-]{43}", made.reveal())
    assert (f"{made.reveal()}\n", 0o100600) == (path.read_text(), path.stat().st_mode)
    path.write_text("mine\n")
    assert (Secret("mine"), False) == ensure_token(path, Counting())


def test_token_that_others_read(tmp_path: Path) -> None:
    """A token that other users may read is not used."""
    path = tmp_path / "caller.token"
    path.write_text("mine\n")
    path.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        ensure_token(path, Counting())


def test_token_behind_a_dead_link(tmp_path: Path) -> None:
    """A link in the token's place is refused, even if it leads nowhere."""
    path = tmp_path / "caller.token"
    path.symlink_to("nowhere")

    with pytest.raises(ConfigError, match="it is a link"):
        ensure_token(path, Counting())
