"""The canary over any suite: no known key of the tests in what a test printed or left behind.

    SIDECAR_CANARY=all python -m pytest -p tests.canary.plugin --basetemp=/tmp/it tests/e2e

After each test its captured output and the files under the base folder that are new or have
changed are searched, in six encodings; a find fails the test and names the file. The figures are
printed at the end. Without the variable this does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.canary.needles import Haystack, Search, Secret
from tests.world import market, running, sidecar_process
from tests.world.signer_orders import KEY as SIGNER_KEY

KNOWN = (
    Secret.of("key of running", running.KEY),
    Secret.of("seed of market", market.SOLANA_SEED),
    Secret.of("key of the signer's tests", SIGNER_KEY.hex()),
    Secret.of("token of running", running.TOKEN),
    Secret.of("token of sidecar_process", sidecar_process.TOKEN),
    # Anvil's first account, which its documentation prints.
    Secret.of("key of anvil", "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
)
# The files that are there to hold a secret, by their names: each is one that a test writes.
HOLD_SECRETS = frozenset(
    {
        *("evm.key", "solana.key", "key", "real.key", "app.token", "caller.token", "admin.token"),
        *("rich.token", "poor.token"),
        "venice.key",
    }
)
FILE_BYTES_MAX = 64 * 2**20


class Canary:
    """Searches after each test."""

    def __init__(self) -> None:
        self._search = Search(KNOWN)
        self._seen: dict[Path, tuple[int, int]] = {}
        self.finds = 0
        self.files = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when != "teardown":
            return report
        found = self._printed(item) + self._left(item)
        if found:
            self.finds += len(found)
            report.outcome = "failed"
            report.longrepr = "\n".join((f"canary: {item.nodeid}", *found))
        return report

    def _printed(self, item: pytest.Item) -> list[str]:
        hays = [Haystack(place, text.encode()) for _, place, text in item._report_sections]
        return [str(find) for hay in hays for find in self._search.finds(hay)]

    def _left(self, item: pytest.Item) -> list[str]:
        base = item.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        found: list[str] = []
        for folder, _, names in os.walk(base):
            for name in names:
                path = Path(folder, name)
                if name not in HOLD_SECRETS and path.is_file() and not path.is_symlink():
                    found += self._in_file(path)
        return found

    def _in_file(self, path: Path) -> list[str]:
        try:
            status = path.stat()
            mark = (status.st_size, status.st_mtime_ns)
            if self._seen.get(path) == mark or status.st_size > FILE_BYTES_MAX:
                return []
            data = path.read_bytes()
        except OSError:
            # A process is just taking it away.
            return []
        self._seen[path] = mark
        self.files += 1
        return [str(find) for find in self._search.finds(Haystack(str(path), data))]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(
            f"canary: {self.finds} finds in {self._search.searched} bytes, {self.files} files, "
            f"{self._search.needles} needles"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Take part where it is asked for."""
    if os.environ.get("SIDECAR_CANARY") == "all":
        config.pluginmanager.register(Canary(), "canary")
