"""The manifests' own environment, volumes and probes, at work: a pod without a cluster.

The image's tree runs with what the kubelet would give it; probes and scrapes are sent as the
kubelet and Prometheus send them, to the pod's address and with that as their Host.
"""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidecar.sandbox import Sandbox
from tests.deploy.confined import Container, running
from tests.deploy.test_image import compose_config
from tests.world.container import USER
from tests.world.image import Image
from tests.world.manifests import only, sidecar_of, variables_of

# An address that the sidecar is not told of, as a pod's is, and that every machine has.
POD = "127.0.0.2"
WAIT_S = 10


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A new volume as the kubelet leaves it for an fsGroup: root's, and open to the group."""
    folder = tmp_path / "volume"
    folder.mkdir()
    shutil.chown(folder, 0, USER)
    folder.chmod(0o2775)
    return folder


@contextmanager
def pod(
    image: Image,
    folder: Path,
    sandbox: Sandbox,
    volume: Path,
    more: Mapping[str, str] | None = None,
) -> Iterator[Container]:
    """The sidecar with the manifests' environment."""
    variables = variables_of(sidecar_of("deployment"), POD) | dict(more or {})
    with running(image, folder, compose_config(sandbox), volume, variables) as container:
        yield container


def get(
    container: Container, path: str, host: str = "", method: str = "GET", token: str = ""
) -> int:
    """The status that whoever asks at the pod's address gets."""
    connection = http.client.HTTPConnection(POD, container.admin_port, timeout=WAIT_S)
    try:
        headers = {"Host": host or f"{POD}:{container.admin_port}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def probe_paths() -> list[str]:
    """What the probes ask for; each asks the port of that name, with no Host of its own."""
    sidecar = sidecar_of("deployment")
    (port,) = sidecar["ports"]
    probes = [probe["httpGet"] for name, probe in sidecar.items() if name.endswith("Probe")]
    assert {port["name"]} == {probe["port"] for probe in probes}
    assert all("httpHeaders" not in probe for probe in probes)
    return [probe["path"] for probe in probes]


async def test_probes_and_scrape(
    image: Image, sandbox: Sandbox, volume: Path, tmp_path: Path
) -> None:
    """The kubelet's probes and Prometheus' scrape succeed, and the app's call is paid."""
    (endpoint,) = only("namespace", "PodMonitor")["spec"]["podMetricsEndpoints"]
    with pod(image, tmp_path, sandbox, volume) as container:
        probes = [get(container, path) for path in probe_paths()]
        scrape = get(container, endpoint["path"])
        await container.buy()

    assert [200, 200] == probes
    assert 200 == scrape
    assert 1 == len(sandbox.books.settlements)


async def test_frozen(image: Image, sandbox: Sandbox, volume: Path, tmp_path: Path) -> None:
    """A frozen sidecar is not ready to pay, and no probe fails: nothing is restarted for that."""
    with pod(image, tmp_path, sandbox, volume) as container:
        token = (volume / "state/admin.token").read_text().strip()
        frozen = get(container, "/freeze", method="POST", token=token)
        ready = get(container, "/readyz")
        probes = [get(container, path) for path in probe_paths()]

    assert (200, 503) == (frozen, ready)
    assert [200, 200] == probes


async def test_other_names(image: Image, sandbox: Sandbox, volume: Path, tmp_path: Path) -> None:
    """By another name the pod does not answer, and without SIDECAR_HOSTS not by its address."""
    with pod(image, tmp_path, sandbox, volume) as container:
        rebound = get(container, "/livez", host=f"evil.example:{container.admin_port}")
    (tmp_path / "again").mkdir()
    unnamed = {"SIDECAR_HOSTS": "another.example:1"}
    with pod(image, tmp_path / "again", sandbox, volume, unnamed) as container:
        unknown = get(container, "/livez")

    assert (403, 403) == (rebound, unknown)


async def test_apps_port(image: Image, sandbox: Sandbox, volume: Path, tmp_path: Path) -> None:
    """The app's port is for the pod alone: at its address nobody answers."""
    with pod(image, tmp_path, sandbox, volume) as container:
        connection = http.client.HTTPConnection(POD, container.port, timeout=WAIT_S)
        with pytest.raises(ConnectionRefusedError):
            connection.request("GET", "/")

    assert 0 == len(sandbox.books.settlements)


async def test_second_start(image: Image, sandbox: Sandbox, volume: Path, tmp_path: Path) -> None:
    """What a pod leaves in the volume, the next one goes on with."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with pod(image, tmp_path / name, sandbox, volume) as container:
            await container.buy()
            stopped = container.process.stop()

        assert 0 == stopped
    kept = (volume / "state").stat()

    assert 2 == len(sandbox.books.settlements)
    assert (USER, 0o2700) == (kept.st_uid, kept.st_mode & 0o7777)
