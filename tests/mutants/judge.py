"""Runs the tests of one planted bug, in a process that has the libraries loaded already.

Half of what such a test took was the loading. So a server process loads them once and is forked
for each bug; what is ours is loaded by the fork, from the copy of the tree with the bug in it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

# The one plugin that these tests need, with its assertions as they were when it was preloaded.
_PLUGINS = ("-p", "pytest_asyncio.plugin", "-W", "ignore::pytest.PytestAssertRewriteWarning")
# Python 3.11 may fail to parse a source where sockets that a bug left open are collected meanwhile.
_TOLD = ("-q", "-x", "--tb=native")
_OURS = ("sidecar", "tests", "bench")
# What a process leaves in its tree: all that it printed, and how pytest ended. Not its exit code:
# multiprocessing loses one where another thread starts a process at that moment.
_SAID, _ENDED = "said", "ended"
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.mutants.warm"])


def judged(
    tree: Path, tests: Sequence[str], time_max_s: float, environment: Mapping[str, str]
) -> tuple[int | None, str]:
    """How pytest ended in this tree, and what it said.

    None where it took too long, -1 where the process ended before pytest did.
    """
    process = _CONTEXT.Process(target=_judge, args=(tree, tests, environment))
    process.start()
    process.join(time_max_s)
    late = process.exitcode is None
    if late:
        assert process.pid is not None
        # Its servers and sidecars, too.
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    said, ended = tree / _SAID, tree / _ENDED
    status = int(ended.read_text()) if ended.exists() else -1
    return None if late else status, said.read_text() if said.exists() else ""


def _judge(tree: Path, tests: Sequence[str], environment: Mapping[str, str]) -> None:
    os.setsid()
    with (tree / _SAID).open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ.clear()
    os.environ |= {
        **environment,
        "PYTHONPATH": str(tree),
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    sys.dont_write_bytecode = True
    os.chdir(tree)
    for name in [name for name in sys.modules if name.split(".")[0] in _OURS]:
        del sys.modules[name]
    sys.path.insert(0, str(tree))
    import pytest

    try:
        status = int(pytest.main([*_TOLD, "-p", "no:cacheprovider", *_PLUGINS, *tests]))
    except (ExceptionGroup, pytest.PytestUnraisableExceptionWarning):
        # What it raises as it ends, of sockets left open, is a failure for `python -m pytest`, too:
        # of several a group, of one itself.
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    (tree / _ENDED).write_text(str(status))
    # No exit handler of the server's is ours to run.
    os._exit(0)
