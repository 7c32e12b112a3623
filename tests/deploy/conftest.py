"""What the tests of deploy/ share: the image's tree, and a seller."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.deploy.confined import make_places
from tests.world.container import USER
from tests.world.image import Image, build_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The tree, built once, by whichever of pytest's workers comes first."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    shared = folder / "image"
    with (folder / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = shared / "built.json"
        if not built.exists():
            shared.mkdir()
            ready = build_image(shared)
            make_places(ready)
            built.write_text(json.dumps([str(ready.root), ready.environment]))
        root, environment = json.loads(built.read_text())
    return Image(Path(root), environment)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A seller with a chain of its own, on which the money is counted."""
    seller = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await seller.start("127.0.0.1", 0)
    try:
        yield seller
    finally:
        await seller.stop()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A new volume, with the owner and mode that it takes over from the image."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    shutil.chown(folder, USER, USER)
    return folder
