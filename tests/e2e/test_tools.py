"""Real tools through the sidecar, unmodified, each by the recipe that its users are given.

Each tool is what its registry has, in an environment of its own (tests/world/install.sh), and is
told where the sidecar is and what its key is by the recipe's own lines. What was paid is counted
on the seller's chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.world.recipes import APPS, Done, recipes
from tests.world.tool_stand import POOR_BUDGET, POOR_TOKEN, ToolStand

HEARD = "The sandbox heard: one two three"
REFUSED = "has no room for"


@dataclass(frozen=True, slots=True)
class App:
    """A program of a library's user: by which recipe it is run."""

    file: str
    recipe: str

    @property
    def runs(self) -> str:
        """The line that starts it."""
        return "python app.py" if self.file.endswith(".py") else "node app.mjs"


LIBRARIES = {
    "openai-python": App("openai_python.py", "openai"),
    "openai-python-responses": App("openai_responses.py", "openai"),
    "openai-node": App("openai_node.mjs", "openai"),
    "langchain-openai": App("langchain_openai.py", "openai"),
    "litellm-openai": App("litellm_openai.py", "openai"),
    "vercel-openai": App("vercel_openai.mjs", "openai"),
    "vercel-openai-chat": App("vercel_chat.mjs", "openai"),
    "anthropic-python": App("anthropic_python.py", "anthropic"),
    "anthropic-node": App("anthropic_node.mjs", "anthropic"),
    "langchain-anthropic": App("langchain_anthropic.py", "anthropic"),
    "litellm-anthropic": App("litellm_anthropic.py", "anthropic"),
    "vercel-anthropic": App("vercel_anthropic.mjs", "vercel-anthropic"),
}
# Those of command-line tools: test_tools_commands.py.
COMMANDS = {"llm", "aider", "claude-code", "curl"}
COUNTS = "anthropic_counts.py"
# Whoever puts a URL together in a way of its own.
SLASHED = ("openai-python", "openai-node", "vercel-openai", "anthropic-python", "anthropic-node")
# With credit at a vendor: Venice has OpenAI's API only, x402layer whatever its endpoint has.
PREPAID = {
    "openai-python": ("/venice", "venice"),
    "langchain-openai": ("/venice", "venice"),
    "anthropic-python": ("/x402layer/e/weather-data", "x402layer"),
}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolStand]:
    """One seller and one sidecar for all tools."""
    with ToolStand(tmp_path_factory.mktemp("stand")) as running:
        yield running


def whole_and_streamed(done: Done) -> None:
    """The answer, and the same again in pieces."""
    whole, pieces = done.heard()
    assert isinstance(pieces, list)
    assert HEARD == whole == "".join(pieces)
    assert 1 < len([piece for piece in pieces if piece])


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries(stand: ToolStand, tmp_path: Path, name: str) -> None:
    """By the recipe alone: an answer and a stream, for one payment each."""
    app, before = LIBRARIES[name], stand.paid()
    done = stand.kitchen(tmp_path).run(app.recipe, app.runs, app.file)

    whole_and_streamed(done)
    assert 2 == stand.paid() - before


@pytest.mark.parametrize("name", SLASHED)
def test_slash(stand: ToolStand, tmp_path: Path, name: str) -> None:
    """With a slash at the URL's end as well."""
    app, before = LIBRARIES[name], stand.paid()
    done = stand.kitchen(tmp_path).run(app.recipe, app.runs, app.file, slash=True)

    whole_and_streamed(done)
    assert 2 == stand.paid() - before


def test_two_slashes(stand: ToolStand, tmp_path: Path) -> None:
    """LiteLLM makes // of it for Anthropic: that is refused with a word, and nothing is paid."""
    app, before = LIBRARIES["litellm-anthropic"], stand.paid()
    done = stand.kitchen(tmp_path).run(app.recipe, app.runs, app.file, slash=True)

    assert 0 != done.code
    assert "no //" in done.shown
    assert 0 == stand.paid() - before


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_refused(stand: ToolStand, tmp_path: Path, name: str) -> None:
    """Over its budget the program ends at once, with our words; nothing is tried again or paid."""
    app, before, asked = LIBRARIES[name], stand.paid(), stand.requests("poor")
    done = stand.kitchen(tmp_path, POOR_TOKEN).run(app.recipe, app.runs, app.file)

    assert 0 != done.code
    assert REFUSED in done.shown
    assert POOR_BUDGET in done.shown
    assert 1 == stand.requests("poor") - asked
    assert 0 == stand.paid() - before


@pytest.mark.parametrize("name", PREPAID)
def test_prepaid(stand: ToolStand, tmp_path: Path, name: str) -> None:
    """At a vendor of credit two answers are two calls, and credit is bought at most once."""
    app, (route, vendor) = LIBRARIES[name], PREPAID[name]
    _, served = stand.credit(vendor)
    done = stand.kitchen(tmp_path, route=route).run(app.recipe, app.runs, app.file)
    top_ups, served_then = stand.credit(vendor)

    whole_and_streamed(done)
    assert 1 == top_ups
    assert 2 == served_then - served


def test_counted_tokens(stand: ToolStand, tmp_path: Path) -> None:
    """Anthropic's count of tokens costs nothing at a seller that gives it away."""
    before = stand.paid()
    done = stand.kitchen(tmp_path).run("anthropic", "python app.py", COUNTS)

    assert [3] == done.heard()
    assert 0 == stand.paid() - before


def test_all_of_them() -> None:
    """Each program here is run by a test, and so is each recipe."""
    libraries = {app.file for app in LIBRARIES.values()} | {COUNTS}

    assert {path.name for path in APPS.iterdir()} - {"README.md"} == libraries
    assert recipes().keys() == {app.recipe for app in LIBRARIES.values()} | COMMANDS
