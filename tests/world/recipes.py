"""The recipes that users are given, found by name and run as they stand.

A recipe is a block of shell behind a comment with its name; ``after`` names the block whose lines
come first. Only the port is put in its place: nothing else of the text is touched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.world.processes import WORLD, installed

RECIPES = Path(__file__).resolve().parents[2] / "README.md"
APPS = Path(__file__).parent / "tools/apps"
TOOLS = WORLD / "tools"

# The port that users have, and where their token is.
USUAL = "127.0.0.1:8402"
TOKEN_FILE = ".local/state/sidecar/caller.token"
RUN_WAIT_S = 240.0

# What keeps a tool from asking its maker for news, on a machine that reaches nobody.
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}

_JSON = re.compile(r'["\[0-9]')
_BLOCK = re.compile(
    r"^<!-- recipe: (?P<name>[a-z-]+)(?:, after: (?P<after>[a-z-]+))? -->\n"
    r"```sh\n(?P<lines>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One recipe as it is written."""

    name: str
    after: str
    lines: str


def recipes() -> dict[str, Block]:
    """Every recipe by its name."""
    found = [
        Block(match["name"], match["after"] or "", match["lines"])
        for match in _BLOCK.finditer(RECIPES.read_text())
    ]
    assert len(found) == len({block.name for block in found}), "two recipes of one name"
    return {block.name: block for block in found}


def script(name: str) -> str:
    """All lines of a recipe, those of the recipes before it first."""
    block = recipes()[name]
    return (script(block.after) if block.after else "") + block.lines


@dataclass(frozen=True, slots=True)
class Done:
    """What a person sees once a tool has ended."""

    code: int
    stdout: str
    stderr: str

    def heard(self) -> list[object]:
        """What an app of ours printed: a text for each answer, a list for each stream."""
        assert 0 == self.code, self.stderr
        # LiteLLM gives advice on the same output.
        lines = (line for line in self.stdout.splitlines() if _JSON.match(line))
        return [json.loads(line) for line in lines]

    @property
    def shown(self) -> str:
        """All that it wrote, as one line of words: terminals break them anywhere."""
        return " ".join((self.stdout + self.stderr).split())


@dataclass(frozen=True, slots=True)
class Kitchen:
    """Where recipes are run: a home of their own, with the token where users have it."""

    home: Path
    authority: str  # host and port, and the prefix of a route where one is meant
    token: str

    def run(self, recipe: str, then: str = "", app: str = "", slash: bool = False) -> Done:
        """Run a recipe and this line after it, ``app`` lying beside; ``slash``: at URLs' ends."""
        token = self.home / TOKEN_FILE
        token.parent.mkdir(parents=True, exist_ok=True)
        token.write_text(self.token)
        token.chmod(0o600)
        if app:
            shutil.copy(APPS / app, self.home / f"app{Path(app).suffix}")
            # Node.js looks for packages beside the program.
            modules = self.home / "node_modules"
            if not modules.is_symlink():
                modules.symlink_to(TOOLS / "node/node_modules")
        text = script(recipe)
        assert USUAL in text
        if slash:
            text = re.sub(rf"^(export \w+=http://{re.escape(USUAL)}\S*)", r"\1/", text, flags=re.M)
        return self._shell(text.replace(USUAL, self.authority) + then)

    def _shell(self, text: str) -> Done:
        process = subprocess.Popen(
            ["/bin/bash", "-eu", "-c", text],
            cwd=self.home,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=RUN_WAIT_S)
        except subprocess.TimeoutExpired:
            # A tool that hangs may have children of its own, which hold the pipes.
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            raise AssertionError(f"not done in {RUN_WAIT_S:g} s:\n{stdout}\n{stderr}") from None
        return Done(process.returncode, stdout, stderr)

    def _environment(self) -> dict[str, str]:
        """Nothing of whoever runs the tests: no key, no proxy, no configuration."""
        node = shutil.which("node")
        assert node is not None, "needs Node.js 20 or later on the PATH"
        folders = [
            installed(TOOLS / "python/bin"),
            installed(TOOLS / "aider/bin"),
            *_claude_code(),
            Path(node).parent,
            Path("/usr/bin"),
            Path("/bin"),
        ]
        path = ":".join(str(folder) for folder in folders)
        return {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8"} | QUIET


def _claude_code() -> list[Path]:
    """The folder of its program, which comes in a package of its own for each kind of machine."""
    packages = installed(TOOLS / "node/node_modules/@anthropic-ai")
    found = sorted(path.parent for path in packages.glob("claude-code-linux-*/claude"))
    assert found, "no Claude Code for this kind of machine was installed"
    return found
