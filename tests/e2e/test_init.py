"""``sidecar init``, typed on a terminal and in scripts."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from tests.e2e.shell import ADDRESS, KEY, on_terminal, sandbox, sidecar

SANDBOX = ("init", "--provider", "sandbox", "--yes")
VENICE = ("init", "--provider", "venice", "--network", "base", "--budget", "20 USDC", "--yes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything(home: Path) -> str:
    """All that is in a folder, as text."""
    return "".join(path.read_text() for path in sorted(home.rglob("*")) if path.is_file())


def test_only_enter(tmp_path: Path) -> None:
    """Who only presses Enter gets a config for the sandbox, a key and a token, all private."""
    status, shown = on_terminal(tmp_path, "\n" * 4, "init")

    assert 0 == status, shown
    config, key = tmp_path / "sidecar.yaml", tmp_path / "sandbox.key"
    token = tmp_path / "sidecar-sandbox" / "caller.token"
    assert (0o600, 0o600, 0o700) == (mode(key), mode(token), mode(token.parent))
    assert 'upstream: "http://127.0.0.1:4020"' in config.read_text()
    assert "sidecar sandbox" in shown
    assert key.read_text().strip().removeprefix("0x") not in shown
    assert token.read_text().strip() not in shown


def test_typed_answers(tmp_path: Path) -> None:
    """Wrong answers are told and asked again, and an imported key shows nowhere."""
    typed = ["nobody", "venice", "base", "import", KEY.hex(), "1e1", "12", "13", "4", "11.5"]
    status, shown = on_terminal(tmp_path, "\n".join(typed) + "\n", "init")

    assert 0 == status, shown
    assert "there is no provider 'nobody'" in shown
    assert "not an amount: '1e1 USDC'" in shown
    assert "13.00 USDC is over the day's budget of 12.00 USDC" in shown
    assert f"send USDC on Base to {ADDRESS}; 12.00 USDC is a day's budget" in shown
    assert KEY.hex() not in shown
    text = (tmp_path / "sidecar.yaml").read_text()
    assert 'top_up: {amount: "11.50 USDC", low_water: "2.30 USDC"}' in text
    assert f"0x{KEY.hex()}\n" == (tmp_path / "evm.key").read_text()


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C, or the end of what is typed, leaves nothing behind."""
    for typed, expected in (("venice\n\x03", 130), ("venice\n\x04", 2)):
        status, shown = on_terminal(tmp_path, typed, "init")

        assert expected == status, shown
        assert [] == list(tmp_path.iterdir())


def test_in_a_script(tmp_path: Path) -> None:
    """Flags answer every question, and what is written is what `sidecar check` takes."""
    ran = sidecar(tmp_path, *VENICE)
    checked = sidecar(tmp_path, "check", "--json")

    assert (0, "") == (ran.returncode, ran.stderr)
    summary = json.loads(checked.stdout)
    assert [("venice", ["eip155:8453"], "10.00 USDC")] == [
        (route["provider"], route["networks"], route["max_payment"]) for route in summary["routes"]
    ]
    assert summary["wallets"][0]["address"] in ran.stdout
    assert "sidecar run -- python your_app.py" in ran.stdout


def test_in_a_script_of_solana(tmp_path: Path) -> None:
    """A network of Solana's gets a wallet of Solana's."""
    ran = sidecar(tmp_path, "init", "--provider", "nodit", "--network", "solana", "--yes")
    address = sidecar(tmp_path, "wallet", "address", "--json").stdout

    assert 0 == ran.returncode, ran.stderr
    assert f"send USDC on Solana to {json.loads(address)[0]['address']}" in ran.stdout


def test_another_key_file(tmp_path: Path) -> None:
    """A key file that is there is used as it is; a relative one is found from the config."""
    made = sidecar(tmp_path, "wallet", "new", "--out", "mine.key").stdout.strip()
    (tmp_path / "conf").mkdir()
    flags = ("--key", "use", "--key-file", "mine.key", "--out", "conf/x.yaml")
    ran = sidecar(tmp_path, *VENICE, *flags)
    shown = sidecar(tmp_path, "wallet", "address", "--config", "conf/x.yaml").stdout

    assert 0 == ran.returncode, ran.stderr
    assert f"WALLET\tADDRESS\nmain\t{made}\n" == shown
    assert "sidecar run --config conf/x.yaml -- python your_app.py" in ran.stdout


def test_piped_key(tmp_path: Path) -> None:
    """Keys of wallets and of vendors are taken from a pipe."""
    (tmp_path / "api").mkdir()
    paying = sidecar(tmp_path, *VENICE, "--key", "import", given=f"{KEY.hex()}\n")
    keyed = sidecar(
        tmp_path, "init", "--provider", "api_key", "--yes", "--out", "api/x.yaml", given="sk-abc\n"
    )

    assert (0, 0) == (paying.returncode, keyed.returncode), keyed.stderr
    assert ADDRESS in paying.stdout
    assert ("sk-abc\n", 0o600) == (
        (tmp_path / "api" / "api.key").read_text(),
        mode(tmp_path / "api" / "api.key"),
    )


@pytest.mark.parametrize("name", ["sidecar.yaml", "evm.key"])
def test_never_replaces(tmp_path: Path, name: str) -> None:
    """What is there stays as it is, and nothing is put beside it."""
    (tmp_path / name).write_text("mine")
    ran = sidecar(tmp_path, *VENICE)

    assert 2 == ran.returncode
    assert f"{name}: there is a file already; " in ran.stderr
    assert "mine" == everything(tmp_path)


def test_keeps_the_token(tmp_path: Path) -> None:
    """A second config has the token that the first one's apps have."""
    sidecar(tmp_path, *VENICE)
    token = tmp_path / ".local" / "state" / "sidecar" / "caller.token"
    first = token.read_text()
    ran = sidecar(tmp_path, *VENICE, "--out", "other.yaml", "--key-file", "other.key")

    assert (0, first) == (ran.returncode, token.read_text())


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        ((), "--provider: missing, and nobody is asked here; give it, or --yes"),
        (
            ("--provider", "pay_per_request", "--yes"),
            "--upstream: missing, and nobody is asked here; give it",
        ),
        (
            ("--provider", "libertai", "--network", "solana", "--yes"),
            "--network: 'solana' is not paid on here; use base",
        ),
        (
            ("--provider", "venise", "--yes"),
            "--provider: there is no provider 'venise'; did you mean \"venice\"?",
        ),
        (
            ("--provider", "libertai", "--budget", "0", "--yes"),
            "--budget: nothing can be paid with 0.00 USDC; write more",
        ),
        (
            ("--provider", "nodit", "--budget", "1", "--max-payment", "2", "--yes"),
            "--max-payment: 2.00 USDC is over the day's budget of 1.00 USDC; write less",
        ),
        (
            ("--provider", "venice", "--budget", "4.99", "--yes"),
            "--budget: credit is sold from 5.00 USDC on; write more",
        ),
        (
            ("--provider", "api_key", "--budget", "1", "--yes"),
            "--budget: nothing is paid where there is an API key; leave it",
        ),
        (
            ("--provider", "venice", "--upstream", "http://a.example", "--yes"),
            "routes.venice.upstream: http:// to another machine is readable and changeable on its "
            "way; use https://, or set insecure: true beside it (line 17)",
        ),
    ],
    ids=[
        "nothing",
        "upstream",
        "network",
        "typo",
        "zero",
        "cap",
        "too little",
        "never pays",
        "unreadable",
    ],
)
def test_wrong(tmp_path: Path, words: tuple[str, ...], mistake: str) -> None:
    """What is wrong or missing in a script is named, and nothing is written: status 2."""
    ran = sidecar(tmp_path, "init", *words)

    assert (2, "", f"{mistake}\n") == (ran.returncode, ran.stdout, ran.stderr)
    assert [] == list(tmp_path.iterdir())


def test_pays_at_once(tmp_path: Path) -> None:
    """A newcomer's three commands: the sandbox, init, and run with an app that knows nothing."""
    app = (
        "import openai\n"
        "with openai.OpenAI() as client:\n"
        '    said = [{"role": "user", "content": "Say hello"}]\n'
        '    answer = client.chat.completions.create(model="m", messages=said)\n'
        "    print(bool(answer.choices[0].message.content))\n"
    )
    (tmp_path / "app.py").write_text(app)
    with sandbox(tmp_path) as seller:
        made = sidecar(tmp_path, *SANDBOX, "--upstream", seller.url)
        words = ("--budget", "1.00 USDC", "--", sys.executable, "app.py")
        ran = sidecar(tmp_path, "run", *words)

    assert (0, 0, "True\n") == (made.returncode, ran.returncode, ran.stdout), ran.stderr
    assert "sidecar: has spent 0.01 USDC on 1 call: 1 paid\n" in ran.stderr
