"""`sidecar run -- CMD`, before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.cli.environment import child_environment
from tests.unit.cli.commands import Command, write_config

URL = "http://127.0.0.1:7"


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (["--budget", "1.00 USDC"], "--budget: only with a command: sidecar run -- CMD"),
        (["--receipt", "r"], "--receipt: only with a command: sidecar run -- CMD"),
        (["true"], "true: no flag; put -- before a command: sidecar run -- CMD"),
        (["--"], "--: no command; name one: sidecar run -- CMD"),
        (
            ["--budget", "1", "--", "true"],
            "--budget: not an amount: '1'; write it like \"5.00 USDC\"",
        ),
        (
            ["--receipt", "/no/where", "--", "true"],
            "--receipt: /no/where: no file can be written there; name another",
        ),
        (
            ["--listen", "unix:/run/x.sock", "--", "true"],
            "--listen: CMD is told a URL, and a Unix socket has none; use HOST:PORT",
        ),
        (
            ["--workers", "2", "--", "true"],
            "--workers: a command has one of its own; leave it out",
        ),
    ],
    ids=["budget", "receipt", "no dashes", "no command", "amount", "folder", "socket", "workers"],
)
def test_usage(sidecar: Command, tmp_path: Path, words: list[str], mistake: str) -> None:
    """What is typed wrong is told before anything is started: status 2."""
    path = write_config(tmp_path, "callers", to=[])

    ran = sidecar("run", "--config", path, *words)

    assert (2, "", f"{mistake}\n") == (ran.status, ran.out, ran.err)


def test_environment() -> None:
    """A command's environment is ours without what is withheld, and with where we are."""
    ours = {"PATH": "/bin", "KEY": "k", "OPENAI_API_KEY": "theirs", "ANTHROPIC_AUTH_TOKEN": "t"}

    assert {
        "PATH": "/bin",
        "OPENAI_BASE_URL": f"{URL}/v1",
        "OPENAI_API_BASE": f"{URL}/v1",
        "OPENAI_API_KEY": "sk-run",
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_API_KEY": "sk-run",
    } == child_environment(ours, {"KEY"}, URL, "sk-run")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_past_the_proxy(name: str) -> None:
    """Where apps use a proxy they are told that we are not behind it."""
    found = child_environment({name: "http://proxy:3128", "NO_PROXY": "a.example"}, (), URL, "t")

    assert ("127.0.0.1,localhost,::1", "a.example,127.0.0.1,localhost,::1") == (
        found["no_proxy"],
        found["NO_PROXY"],
    )
