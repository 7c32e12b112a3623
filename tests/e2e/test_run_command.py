"""``sidecar run -- CMD``: real processes, the sandbox's seller and its chain, counted there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.job_home import APP, PYTHON, Home
from tests.e2e.shell import WAIT_S, Seller, sandbox


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seller]:
    """One for all: each test pays from a wallet of its own."""
    with sandbox(tmp_path_factory.mktemp("seller")) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, seller: Seller) -> Home:
    return Home(tmp_path, seller)


def test_pays_and_passes_on(home: Home) -> None:
    """CMD pays by its environment alone; its output, its status and what it cost come out."""
    app = f'{APP}call("a")\ncall("b")\nsys.exit(7)'
    ran = home.run("--receipt", "receipt.json", "--", *PYTHON, app)

    assert (7, "200\n200\n") == (ran.returncode, ran.stdout)
    assert ["0.01 USDC", "0.01 USDC"] == home.settled()
    receipt = home.receipt()
    assert ("live", 7, 2, 2, 0, "0.02", 20_000, 0, {}) == tuple(
        receipt[name]
        for name in (
            *("mode", "exit_status", "calls", "paid_calls", "undelivered_calls"),
            *("spent_usdc", "spent_atomic", "in_doubt_payments", "refused"),
        )
    )
    assert ["seller"] == list(receipt["routes"])
    assert [("day", "0.98")] == [(use["name"], use["remaining_usdc"]) for use in receipt["budgets"]]
    assert "sidecar: has spent 0.02 USDC on 2 calls: 2 paid\n" in ran.stderr
    assert "  left: 0.98 USDC of 1.00 USDC in day\n" in ran.stderr


def test_stock_clients(home: Home) -> None:
    """The stock OpenAI and Anthropic clients need nothing but what CMD's environment says."""
    app = (
        "import anthropic, openai\n"
        'said = [{"role": "user", "content": "Say hello"}]\n'
        "with openai.OpenAI() as client:\n"
        '    client.chat.completions.create(model="m", messages=said)\n'
        "with anthropic.Anthropic() as client:\n"
        '    client.messages.create(model="m", max_tokens=9, messages=said)\n'
    )
    ran = home.run("--", *PYTHON, app, ANTHROPIC_AUTH_TOKEN="of-another", PYTHONWARNINGS="ignore")

    assert (0, "") == (ran.returncode, ran.stdout), ran.stderr
    assert ["0.01 USDC", "0.01 USDC"] == home.settled()


def test_secrets_stay_here(home: Home) -> None:
    """CMD is given no secret of the sidecar's, and its own token is nowhere but there."""
    home.configure("env: MY_KEY")
    app = "import json, os; print(json.dumps(dict(os.environ)))"
    key = home.key.hex()
    ran = home.run(
        "--", *PYTHON, app, MY_KEY=key, EVM_PRIVATE_KEY=key, SVM_PRIVATE_KEY=key, KEPT="1"
    )
    environ = json.loads(ran.stdout)

    token = environ["OPENAI_API_KEY"]
    url = environ["ANTHROPIC_BASE_URL"]
    assert {
        "KEPT": "1",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_BASE": f"{url}/v1",
        "ANTHROPIC_API_KEY": token,
    } == {
        name: environ.get(name)
        for name in ("KEPT", "OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_API_KEY")
    }
    assert [] == [name for name, value in environ.items() if key in value]
    assert ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"] == [
        name for name, value in environ.items() if token in value
    ]
    files = [path for path in home.folder.rglob("*") if path.is_file()]
    assert [] == [path for path in files if token.encode() in path.read_bytes()]
    assert token not in ran.stderr


def test_each_run_has_its_own_token(home: Home) -> None:
    """The token of one run opens nothing in another."""
    tell = "import os; print(os.environ['OPENAI_API_KEY'])"
    old = home.run("--", *PYTHON, tell).stdout.strip()
    ran = home.run("--receipt", "receipt.json", "--", *PYTHON, f'{APP}call("a", key="{old}")')

    assert "401 invalid_api_key\n" == ran.stdout
    assert [] == home.settled()
    assert {"token": 1} == home.receipt()["refused"]
    assert "another API key came" in ran.stderr


def test_budget_of_a_run(home: Home) -> None:
    """--budget bounds this run and starts at nothing in the next, beside the route's own."""
    app = f'{APP}call("a"); call("b"); call("c")'
    flags = ("--budget", "0.025 USDC", "--receipt", "receipt.json", "--", *PYTHON, app)
    first, second = home.run(*flags), home.run(*flags)

    lines = "200\n200\n402 sidecar_budget\n"
    assert (lines, lines) == (first.stdout, second.stdout)
    assert 4 * ["0.01 USDC"] == home.settled()
    receipt = home.receipt()
    assert ({"budget": 1}, 3, "0.02") == (
        receipt["refused"],
        receipt["calls"],
        receipt["spent_usdc"],
    )
    assert [("day", "0.96"), (receipt["run"], "0.005")] == sorted(
        (use["name"], use["remaining_usdc"]) for use in receipt["budgets"]
    )


def test_credit_draws_on_the_run(home: Home) -> None:
    """What a run may cost bounds the credit that is bought in it, too."""
    path = home.folder / "sidecar.yaml"
    path.write_text(path.read_text().replace('"1.00 USDC"', '"50.00 USDC"'))
    app = f'{APP}call("a", base=os.environ["ANTHROPIC_BASE_URL"] + "/credit/v1")'
    ran = home.run("--budget", "9.99 USDC", "--receipt", "receipt.json", "--", *PYTHON, app)

    assert "402 sidecar_budget\n" == ran.stdout
    receipt = home.receipt()
    assert ({"budget": 1}, 0, "0.00") == (
        receipt["refused"],
        receipt["top_ups"],
        receipt["spent_usdc"],
    )
    bought = home.run("--budget", "10.00 USDC", "--receipt", "receipt.json", "--", *PYTHON, app)
    receipt = home.receipt()
    assert ("200\n", 1, 0, "10.00") == (
        bought.stdout,
        receipt["top_ups"],
        receipt["paid_calls"],
        receipt["spent_usdc"],
    )


def test_two_at_once(home: Home) -> None:
    """Two runs at once share the ledger and the day's budget, and each counts its own."""
    # Each waits for the other, so that both sidecars serve at once.
    app = (
        f"{APP}\nimport pathlib, time\nmine, other = sys.argv[1:]\n"
        "pathlib.Path(mine).touch()\n"
        "while not pathlib.Path(other).exists(): time.sleep(0.02)\n"
        "for turn in range(3): call(mine + str(turn))\n"
    )
    names = ("one", "two")
    with (
        home.running("--receipt", "one.json", "--", *PYTHON, app, *names) as one,
        home.running("--receipt", "two.json", "--", *PYTHON, app, *reversed(names)) as two,
    ):
        said = [process.communicate(timeout=WAIT_S)[0] for process in (one, two)]

    assert ["200\n200\n200\n"] * 2 == said
    assert 6 * ["0.01 USDC"] == home.settled()
    assert [(3, "0.03")] * 2 == [
        (home.receipt(name)["paid_calls"], home.receipt(name)["spent_usdc"])
        for name in ("one.json", "two.json")
    ]


def test_in_doubt(home: Home) -> None:
    """What may have moved is in doubt on the receipt, and not spent."""
    ran = home.run(
        "--receipt", "receipt.json", "--", *PYTHON, f'{APP}call("fault:500_unsettled:99")'
    )

    receipt = home.receipt()
    assert (1, "0.01", "0.00", 0) == (
        receipt["in_doubt_payments"],
        receipt["in_doubt_usdc"],
        receipt["spent_usdc"],
        receipt["paid_calls"],
    )
    assert [] == home.settled()
    assert "  in doubt: 0.01 USDC more may have moved" in ran.stderr


def test_shadow(home: Home) -> None:
    """In shadow mode the receipt says what would have been paid, and the seller saw no payment."""
    ran = home.run(
        "--mode", "shadow", "--receipt", "receipt.json", "--", *PYTHON, f'{APP}call("a")'
    )

    receipt = home.receipt()
    assert ("402 sidecar_shadow\n", "shadow", 1, "0.01", {}) == (
        ran.stdout,
        receipt["mode"],
        receipt["paid_calls"],
        receipt["spent_usdc"],
        receipt["refused"],
    )
    assert 0 == home.presented()
    assert "sidecar: would have spent 0.01 USDC on 1 call: 1 would be paid" in ran.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("no-such-command",), 127, "sidecar: no-such-command: no such command\n"),
        (("./evm.key",), 126, "sidecar: ./evm.key: permission denied\n"),
        (("sh", "-c", "kill -KILL $$"), 137, "  no call came: "),
        (("sh", "-c", "exit 3"), 3, "  no call came: "),
        (("printf", "%s|", "--", "--config", "x"), 0, "  no call came: "),
    ],
    ids=["not found", "not executable", "killed", "failed", "with dashes"],
)
def test_status(home: Home, words: tuple[str, ...], status: int, said: str) -> None:
    """The status is the command's, as a shell says it."""
    ran = home.run("--", *words)

    assert status == ran.returncode, ran.stderr
    assert said in ran.stderr
    assert ("--|--config|x|" if words[0] == "printf" else "") == ran.stdout


def test_addresses_that_are_asked_for(home: Home) -> None:
    """--listen and --admin are kept to; else any free ports will do."""
    tell = "import os; print(os.environ['OPENAI_BASE_URL'])"
    with sandbox(home.folder) as other:
        taken = other.url.removeprefix("http://")
        ran = home.run("--listen", taken, "--", *PYTHON, tell)

    assert 2 == ran.returncode
    assert f"listen: {taken} is taken by" in ran.stderr
    assert "" == ran.stdout
    free = taken.rpartition(":")[2]
    ran = home.run("--listen", f"0.0.0.0:{free}", "--", *PYTHON, tell)
    assert f"http://127.0.0.1:{free}/v1\n" == ran.stdout


def test_without_a_default_route(home: Home) -> None:
    """A config with one route needs no default; with several nobody can know what is meant."""
    path = home.folder / "sidecar.yaml"
    text = path.read_text().replace("    default: true\n", "")
    path.write_text(text)
    several = home.run("--", "true")
    path.write_text(text.partition("  credit:\n")[0])
    app = f'{APP}call("a")\nprint(os.environ["ANTHROPIC_BASE_URL"][-7:])'
    one = home.run("--", *PYTHON, app)

    wrong = "routes: none is the default, so CMD can be told none; add default: true\n"
    assert (2, wrong) == (several.returncode, several.stderr)
    assert "200\n/seller\n" == one.stdout
