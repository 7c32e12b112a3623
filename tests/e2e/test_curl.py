"""curl through the sidecar: streams, slashes, and a body that asks before it is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.tool_stand import ToolStand

BODY = bytes(range(256)) * 8 * 1024
UPLOAD = """\
curl -sS -v --http1.1 {flags} --data-binary @body -H "Authorization: Bearer $OPENAI_API_KEY" \
  -H "Content-Type: application/octet-stream" $OPENAI_BASE_URL/paid
"""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolStand]:
    """One seller and one sidecar for all of it."""
    with ToolStand(tmp_path_factory.mktemp("stand")) as running:
        yield running


def test_stream(stand: ToolStand, tmp_path: Path) -> None:
    """By the recipe, events come one by one, to [DONE]."""
    before = stand.paid()
    done = stand.kitchen(tmp_path).run("curl")
    events = [line for line in done.stdout.splitlines() if line]

    assert 0 == done.code, done.stderr
    assert 6 < len(events)
    assert all(event.startswith("data: ") for event in events)
    assert "data: [DONE]" == events[-1]
    assert 1 == stand.paid() - before


def test_double_slash(stand: ToolStand, tmp_path: Path) -> None:
    """A base URL that ends with a slash makes curl ask for //: a 400 says so, unpaid."""
    before = stand.paid()
    done = stand.kitchen(tmp_path).run("curl", slash=True)

    assert "no //" in done.stdout
    assert 0 == stand.paid() - before


@pytest.mark.parametrize(
    "flags",
    [
        # It would wait for a minute, if it were not told to go on.
        "-H 'Expect: 100-continue' --expect100-timeout 60",
        "-H 'Expect:'",
        "-H 'Transfer-Encoding: chunked'",
    ],
    ids=["asks first", "does not ask", "in chunks"],
)
def test_upload(stand: ToolStand, tmp_path: Path, flags: str) -> None:
    """Two megabytes are bought with, whole: sent once by the app, and twice by the sidecar."""
    (tmp_path / "body").write_bytes(BODY)
    before = stand.paid()
    done = stand.kitchen(tmp_path).run("openai", UPLOAD.format(flags=flags))

    assert 0 == done.code, done.stderr
    heard = json.loads(done.stdout)
    assert (len(BODY), hashlib.sha256(BODY).hexdigest()) == (heard["bytes"], heard["sha256"])
    assert ("Expect:'" not in flags) == ("100 Continue" in done.stderr)
    assert 1 == stand.paid() - before
