"""Real command-line tools through the sidecar, by the recipes that their users are given.

What they send is theirs to decide: a coding agent asks several things for one question. Whatever
it asks, each call that was answered is paid for once, counted on the seller's chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.tool_stand import POOR_BUDGET, POOR_TOKEN, ToolStand

REFUSED = "has no room for"

# What costs money, and was served.
PRICED = frozenset(
    {"POST /v1/chat/completions 200", "POST /v1/responses 200", "POST /v1/messages 200"}
)
# What is asked after the recipe, in the tool's other way: whole or streamed.
OTHER_WAY = {
    "llm": "llm --no-stream -m gpt-4o-mini 'one two three'\n",
    "aider": "aider --no-stream --model openai/sandbox-1 --message 'one two three'\n",
    "claude-code": "claude -p --output-format stream-json --verbose --include-partial-messages "
    "'one two three'\n",
    "curl": 'curl $OPENAI_BASE_URL/chat/completions -H "Authorization: Bearer $OPENAI_API_KEY" '
    '-d \'{"model": "m", "messages": [{"role": "user", "content": "one"}]}\'\n',
}
# Nobody waits for the minute: it is ended once it has shown what a person reads.
AIDER_UNTIL_REFUSED = f"""\
aider --model openai/sandbox-1 --message 'one two three' >shown 2>&1 &
until grep '{POOR_BUDGET}' shown; do sleep 0.2; done
kill $!
"""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolStand]:
    """One seller and one sidecar for all tools."""
    with ToolStand(tmp_path_factory.mktemp("stand")) as running:
        yield running


@pytest.mark.parametrize("name", OTHER_WAY)
def test_commands(stand: ToolStand, tmp_path: Path, name: str) -> None:
    """By its recipe alone a tool shows the answer, streamed and not; each call is paid for once."""
    before, asked = stand.paid(), len(stand.answered("app"))
    done = stand.kitchen(tmp_path).run(name, OTHER_WAY[name])
    calls = [call for call in stand.answered("app")[asked:] if call in PRICED]

    assert 0 == done.code, done.shown
    assert "sandbox heard:" in done.shown
    assert 2 <= len(calls)
    assert len(calls) == stand.paid() - before


@pytest.mark.parametrize("name", sorted(OTHER_WAY.keys() - {"aider"}))
def test_commands_refused(stand: ToolStand, tmp_path: Path, name: str) -> None:
    """Over its budget a tool shows our words and gives up at once; nothing is paid."""
    before, asked = stand.paid(), stand.requests("poor")
    done = stand.kitchen(tmp_path, POOR_TOKEN).run(name)

    assert REFUSED in done.shown
    assert POOR_BUDGET in done.shown
    assert 1 == stand.requests("poor") - asked
    assert 0 == stand.paid() - before


def test_aider_refused(stand: ToolStand, tmp_path: Path) -> None:
    """aider takes a 402 for one that passes: it shows our words, and asks for a minute; unpaid."""
    before, asked = stand.paid(), stand.requests("poor")
    done = stand.kitchen(tmp_path, POOR_TOKEN).run("openai", AIDER_UNTIL_REFUSED)

    assert POOR_BUDGET in done.shown
    assert 1 <= stand.requests("poor") - asked
    assert 0 == stand.paid() - before


def test_claude_code_streams(stand: ToolStand, tmp_path: Path) -> None:
    """Claude Code shows an answer as it comes, in more than one piece."""
    done = stand.kitchen(tmp_path).run("anthropic", OTHER_WAY["claude-code"])
    events = [json.loads(line) for line in done.stdout.splitlines()]
    pieces = [
        event["event"]["delta"]["text"]
        for event in events
        if event["type"] == "stream_event" and event["event"]["type"] == "content_block_delta"
    ]

    assert 0 == done.code, done.shown
    assert 1 < len(pieces)
    assert "".join(pieces).startswith("The sandbox heard: ")
