"""The sidecar in the image's tree, with config, secrets and volume as orchestrators give them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openai

from tests.world.container import USER, Mount, contained, place
from tests.world.image import Image
from tests.world.processes import Process, free_port
from tests.world.running import KEY, TOKEN
from tests.world.switches import SWITCHES

CONFIG = "/etc/sidecar"
EVM_KEY, APP_TOKEN = "/run/secrets/evm.key", "/run/secrets/app.token"
STATE = "/var/lib/sidecar"
WAIT_S = 60


def make_places(image: Image) -> None:
    """What an engine makes for what it mounts."""
    for target in (CONFIG, STATE):
        place(image.root, target, folder=True)
    for target in (EVM_KEY, APP_TOKEN):
        place(image.root, target, folder=False)


@dataclass(frozen=True, slots=True)
class Container:
    """It runs, and serves at ``port``."""

    image: Image
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    port: int
    admin_port: int
    process: Process

    def ask(
        self, command: list[str], *, privileged: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Another program beside it, in the same tree."""
        return subprocess.run(
            contained(self.image.root, command, self.mounts, privileged=privileged),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    def is_healthy(self) -> bool:
        """What the engine would say of it."""
        return self.ask(self.image.health_command).returncode == 0

    async def buy(self) -> str:
        """What the stock client gets for a call that costs money."""
        async with openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1", api_key=TOKEN, max_retries=0
        ) as client:
            done = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}]
            )
        return done.choices[0].message.content or ""


@contextmanager
def running(
    image: Image,
    folder: Path,
    config: str,
    state: Path,
    more: Mapping[str, str] | None = None,
) -> Iterator[Container]:
    """The image's command with this config. ``more`` of the environment has ``{port}`` in it."""
    settings = folder / "settings"
    settings.mkdir()
    settings.joinpath("sidecar.yaml").write_text(config)
    mounts = (
        Mount(settings, CONFIG),
        Mount(secret(folder / "evm.key", KEY), EVM_KEY),
        Mount(secret(folder / "app.token", TOKEN), APP_TOKEN),
        Mount(state, STATE, writable=True),
    )
    port, admin_port = free_port(), free_port()
    environment = {
        **image.environment,
        "SIDECAR_LISTEN": f"0.0.0.0:{port}",
        "SIDECAR_ADMIN": f"0.0.0.0:{admin_port}",
        **SWITCHES,
    }
    # The ports that people know may be taken by another test.
    for name, value in (more or {}).items():
        environment[name] = value.replace(":8402", f":{port}").replace(":9402", f":{admin_port}")
    command = contained(image.root, image.command, mounts)
    with Process(command, folder / "container.log", environment) as process:
        process.wait_for_port(admin_port)
        yield Container(image, mounts, environment, port, admin_port, process)


def secret(path: Path, text: str) -> Path:
    """A file as it is handed over: root's, and readable by the user's group."""
    path.write_text(text)
    path.chmod(0o440)
    shutil.chown(path, 0, USER)
    return path
