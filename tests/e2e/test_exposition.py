"""What Prometheus reads from the admin port, judged by Prometheus's own tool."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

from tests.world.processes import WORLD, installed
from tests.world.sellers import Seller
from tests.world.witnesses import Scene

PROMTOOL = WORLD / "prometheus/usr/bin/promtool"


def test_promtool(start: Callable[[Seller], Scene], v2_seller: Seller) -> None:
    """`promtool check metrics` finds nothing wrong after a paid call, and nothing to improve."""
    scene = start(v2_seller)
    with scene.sidecar.client() as client:
        client.chat.completions.create(
            model="test-model", messages=[{"role": "user", "content": "hello"}]
        )
    verdict = subprocess.run(
        [shutil.which("promtool") or installed(PROMTOOL), "check", "metrics"],
        input=scene.sidecar.exposition(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ("", "", 0) == (verdict.stdout, verdict.stderr, verdict.returncode)
