"""The secrets of a config that is read again: which are opened anew, and which stay as they are."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

import pytest

from sidecar.clock import SystemEntropy
from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError
from sidecar.proxy.admission import Caller
from sidecar.service.differences import renewed
from sidecar.service.secrets import Opened, open_all, reopen
from tests.world.running import write_private

ENTROPY = SystemEntropy()
TOKEN = "sk-sidecar-a-token-from-a-variable"
COMMON = """\
version: 1
listen: {listen}
state_dir: {folder}
callers: {callers}
routes:
  keyed:
    provider: api_key
    upstream: https://api.example.com
    api_key: {{file: {folder}/api.key}}
"""


def read(folder: Path, callers: str = "[]", listen: str = "127.0.0.1:8402") -> Config:
    write_private(folder / "api.key", "sk-of-the-account")
    text = COMMON.format(folder=folder, callers=callers, listen=listen)
    return parse_config(text, {}, {}, folder)


def opened(config: Config, environ: MutableMapping[str, str] | None = None) -> Opened:
    return open_all(config, {} if environ is None else environ, ENTROPY)


def test_own_token(tmp_path: Path) -> None:
    """The token that we made ourselves is read again, and what it was stays a secret."""
    config = read(tmp_path)
    before = opened(config)
    (old,) = before.tokens or {}
    write_private(tmp_path / "caller.token", TOKEN)
    after = reopen(config, before, {}, ENTROPY)

    assert {TOKEN: Caller("default")} == after.tokens
    assert {old, TOKEN} <= set(after.all)
    assert ("callers.default.token",) == renewed(before, after)


def test_variables_stay_known(tmp_path: Path) -> None:
    """A variable is taken out of the environment once, and serves every config that names it."""
    named = "[{name: one, token: {env: A_TOKEN}}]"
    other = "[{name: one, token: {env: A_TOKEN}}, {name: two, token: {env: NO_TOKEN}}]"
    environ = {"A_TOKEN": TOKEN, "HOME": "/"}
    before = opened(read(tmp_path))
    with pytest.raises(ConfigError, match="NO_TOKEN: a running process is given no new variables"):
        reopen(read(tmp_path, other), before, environ, ENTROPY)
    after = reopen(read(tmp_path, named), before, environ, ENTROPY)
    again = reopen(read(tmp_path, named), after, environ, ENTROPY)

    assert {"HOME": "/"} == environ
    assert {TOKEN: Caller("one")} == after.tokens == again.tokens


def test_every_mistake(tmp_path: Path) -> None:
    """What was found wrong before, and each secret that cannot be had, are told together."""
    config = read(tmp_path)
    before = opened(config)
    (tmp_path / "api.key").unlink()
    callers = f"[{{name: one, token: {{file: {tmp_path}/none}}}}]"
    text = COMMON.format(folder=tmp_path, callers=callers, listen="127.0.0.1:8402")
    with pytest.raises(ConfigError) as told:
        reopen(parse_config(text, {}, {}, tmp_path), before, {}, ENTROPY, ["listen: moved"])

    assert ("listen", "routes.keyed.api_key", "callers[0].token") == tuple(
        mistake.partition(":")[0] for mistake in told.value.mistakes
    )


def test_users(tmp_path: Path) -> None:
    """Who may use a Unix socket is settled at start; what they may spend is not."""
    listen = f"unix:{tmp_path}/socket"
    one, two = "[{name: one, uid: 1000}]", "[{name: renamed, uid: 1000}]"
    before = opened(read(tmp_path, one, listen))
    after = reopen(read(tmp_path, two, listen), before, {}, ENTROPY)
    with pytest.raises(ConfigError, match="the users of a Unix socket need a restart"):
        reopen(read(tmp_path, "[{name: one, uid: 1001}]", listen), before, {}, ENTROPY)

    assert {1000: Caller("renamed")} == after.users
