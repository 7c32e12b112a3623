"""What ``sidecar run -- CMD`` is told by signals, and by keys."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.job_home import PYTHON, Home, on_terminal
from tests.e2e.shell import WAIT_S, Seller, sandbox
from tests.world.processes import wait_until


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seller]:
    """One for all: each test pays from a wallet of its own."""
    with sandbox(tmp_path_factory.mktemp("seller")) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, seller: Seller) -> Home:
    return Home(tmp_path, seller)


# Says when it is told to end, and how it then ends.
TOLD = """
import pathlib, signal, sys, time
def told(number, frame):
    print("told", signal.Signals(number).name, flush=True)
    sys.exit(5)
signal.signal(signal.{name}, told)
pathlib.Path("up").touch()
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1"])
def test_signals(home: Home, name: str) -> None:
    """What the sidecar is told by a signal CMD is told, and its status is passed on."""
    with home.running("--", *PYTHON, TOLD.format(name=name)) as process:
        wait_until((home.folder / "up").exists, "CMD is up")
        process.send_signal(signal.Signals[name])
        out, err = process.communicate(timeout=WAIT_S)

    assert (5, f"told {name}\n") == (process.returncode, out), err


DEAF = """
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("draft").write_text(str(os.getpid()))
os.rename("draft", "up")
time.sleep(60)
"""


def test_deaf_to_sigterm(home: Home) -> None:
    """A command that does not end when it is told to is ended, and nothing is left running."""
    with home.running("--", *PYTHON, DEAF) as process:
        wait_until((home.folder / "up").exists, "CMD is up")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=WAIT_S)

    assert 128 + signal.SIGKILL == process.returncode, err
    assert not Path(f"/proc/{(home.folder / 'up').read_text()}").exists()


COUNTS = """
import os, signal, sys, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print("u" + "p", flush=True)
while not heard: time.sleep(0.02)
time.sleep(1)
sys.exit(len(heard))
"""


def test_typed(home: Home) -> None:
    """Ctrl-C reaches CMD once, by the terminal, and the sidecar waits for what CMD makes of it."""
    status = on_terminal(home, b"\x03", lambda shown: "up\r\n" in shown, "--", *PYTHON, COUNTS)

    assert 1 == status


APART = """
import os, signal, sys, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
os.setpgid(0, 0)
print("u" + "p", flush=True)
time.sleep(2)
sys.exit(len(heard))
"""


def test_typed_for_others(home: Home) -> None:
    """Whom a Ctrl-C is meant for the terminal knows: the sidecar passes it on to nobody."""
    status = on_terminal(home, b"\x03", lambda shown: "up\r\n" in shown, "--", *PYTHON, APART)

    assert 0 == status
