"""Shell completion, by a real shell: what is typed, then the tab key."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.shell import WAIT_S, environment, sidecar


class Bash:
    """An interactive shell on a terminal of its own, that has read the script."""

    def __init__(self, home: Path) -> None:
        self._ours, theirs = pty.openpty()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=home,
            env=environment(home, PATH=path, PS1="$ ", TERM="dumb", COLUMNS="200"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, keys: str, wanted: str) -> str:
        """What is shown until it has this in it."""
        os.write(self._ours, keys.encode())
        shown, ends_at = "", time.monotonic() + WAIT_S
        while wanted not in shown:
            assert time.monotonic() < ends_at, shown
            if select.select([self._ours], [], [], 1)[0]:
                shown += os.read(self._ours, 65536).decode()
        return shown

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("sidecar pay", "sidecar payments "),
        ("sidecar payments --si", "sidecar payments --since "),
        ("sidecar wallet imp", "sidecar wallet import "),
        ("sidecar run --config sidec", "sidecar run --config sidecar.yaml"),
        ("sidecar completion fi", "sidecar completion fish "),
        ("sidecar top", "sidecar top-up "),
    ],
)
def test_tab(tmp_path: Path, typed: str, completed: str) -> None:
    """bash completes commands, their flags, their choices, and the names of files."""
    script = sidecar(tmp_path, "completion", "bash")
    assert (0, "") == (script.returncode, script.stderr)
    (tmp_path / "completion.bash").write_text(script.stdout)
    (tmp_path / "sidecar.yaml").write_text("")
    bash = Bash(tmp_path)
    try:
        bash.type("source ./completion.bash && echo read''y\n", "ready")
        shown = bash.type(f"{typed}\t", completed)
    finally:
        bash.close()

    assert completed in shown


@pytest.mark.parametrize(
    ("shell", "word"),
    [("zsh", "#compdef sidecar"), ("fish", "complete -c sidecar"), ("tcsh", "complete sidecar")],
)
def test_other_shells(tmp_path: Path, shell: str, word: str) -> None:
    """Each shell gets a script of its own kind."""
    ran = sidecar(tmp_path, "completion", shell)

    assert (0, True) == (ran.returncode, word in ran.stdout)
