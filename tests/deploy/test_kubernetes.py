"""The Kubernetes manifests: valid, of one piece, and as closed as they say."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar import __version__
from sidecar.config.model import KIB, MIB
from sidecar.config.read import parse_config
from tests.deploy.confined import APP_TOKEN, EVM_KEY
from tests.world.container import USER
from tests.world.manifests import (
    KUBERNETES,
    TOOLS,
    only,
    pod_of,
    rendered,
    rendered_text,
    sidecar_of,
    variables_of,
)
from tests.world.processes import installed

WORKLOADS = ("deployment", "job")
# What each kind of the manifests is; a document of another kind was not meant.
KINDS = {
    "deployment": ["ConfigMap", "PersistentVolumeClaim", "Deployment"],
    "job": ["ConfigMap", "PersistentVolumeClaim", "Job"],
    "namespace": ["PodMonitor", "NetworkPolicy"],
}


@pytest.mark.parametrize("name", KINDS)
def test_schema(name: str, tmp_path: Path) -> None:
    """Kubernetes' own published schemas find no mistake, and no key that they do not know."""
    own = [each for each in rendered(name) if each["kind"] != "PodMonitor"]
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(own))
    verdict = subprocess.run(
        [installed(TOOLS / "bin/kubernetes-validate"), "--strict", file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert sorted(KINDS[name]) == sorted(each["kind"] for each in rendered(name))
    assert 0 == verdict.returncode, verdict.stdout + verdict.stderr


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("inject.yaml", "restartPolicy: Always", "restartPolicy: Always\n          probe: none"),
        ("inject.yaml", "periodSeconds: 10", 'periodSeconds: "10"'),
        ("ledger.yaml", "accessModes: [ReadWriteOncePod]", "accessModes: ReadWriteOncePod"),
    ],
    ids=["unknown key", "text for a number", "text for a list"],
)
def test_schema_sees(name: str, old: str, new: str, tmp_path: Path) -> None:
    """A mistake of each kind is found: the check above is not passed by everything."""
    folder = tmp_path / "kubernetes"
    subprocess.run(["cp", "-r", KUBERNETES, folder], check=True)
    text = (folder / "sidecar" / name).read_text()
    assert 1 == text.count(old)
    (folder / "sidecar" / name).write_text(text.replace(old, new))
    file = tmp_path / "manifests.yaml"
    file.write_text(rendered_text(folder / "deployment"))
    verdict = subprocess.run(
        [installed(TOOLS / "bin/kubernetes-validate"), "--strict", file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 != verdict.returncode


@pytest.mark.parametrize(("interval", "status"), [("30s", 0), (30, 1)], ids=["ours", "a number"])
def test_monitor_schema(interval: str | int, status: int) -> None:
    """The operator's published schema takes our PodMonitor, and does not take everything."""
    monitor = copy.deepcopy(only("namespace", "PodMonitor"))
    monitor["spec"]["podMetricsEndpoints"][0]["interval"] = interval
    verdict = subprocess.run(
        ["node", installed(TOOLS / "pod_monitor.mjs")],
        input=json.dumps(monitor),
        capture_output=True,
        text=True,
        check=False,
    )

    assert status == verdict.returncode, verdict.stderr


@pytest.mark.parametrize("name", WORKLOADS)
def test_native_sidecar(name: str) -> None:
    """The sidecar is started before the app and restarted by itself, and no Job waits for it."""
    sidecar = sidecar_of(name)

    assert "Always" == sidecar["restartPolicy"]
    assert "startupProbe" in sidecar
    assert ["app"] == [container["name"] for container in pod_of(name)["containers"]]


@pytest.mark.parametrize("name", WORKLOADS)
def test_probes(name: str) -> None:
    """No probe asks more than whether it answers: a freeze restarts nothing, and stops no app."""
    probes = {
        key: value["httpGet"] for key, value in sidecar_of(name).items() if key.endswith("Probe")
    }

    assert {
        "startupProbe": {"path": "/livez", "port": "sidecar-admin"},
        "livenessProbe": {"path": "/livez", "port": "sidecar-admin"},
    } == probes


@pytest.mark.parametrize("name", WORKLOADS)
def test_mounts(name: str) -> None:
    """Every volume that is mounted is there, and what it names is there or is said to be made."""
    pod, sidecar = pod_of(name), sidecar_of(name)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["name"] for mount in sidecar["volumeMounts"]}
    claim = volumes["sidecar-ledger"]["persistentVolumeClaim"]["claimName"]
    config = volumes["sidecar-config"]["configMap"]["name"]

    assert volumes.keys() == mounted
    assert claim == only(name, "PersistentVolumeClaim")["metadata"]["name"]
    assert config == only(name, "ConfigMap")["metadata"]["name"]
    assert "sidecar-secrets" == volumes["sidecar-secrets"]["secret"]["secretName"]
    assert 0o440 == volumes["sidecar-secrets"]["secret"]["defaultMode"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_keys_are_files(name: str) -> None:
    """Each key is mounted by itself: in a folder of secrets it would be a link, and be refused."""
    mounts = sidecar_of(name)["volumeMounts"]
    secrets = [mount for mount in mounts if mount["name"] == "sidecar-secrets"]

    assert [(EVM_KEY, "evm.key"), (APP_TOKEN, "app.token")] == [
        (mount["mountPath"], mount["subPath"]) for mount in secrets
    ]
    assert all(mount["readOnly"] for mount in secrets)


@pytest.mark.parametrize("name", WORKLOADS)
def test_config(name: str) -> None:
    """The config in the ConfigMap loads, and says the paths and ports that the manifests say."""
    sidecar = sidecar_of(name)
    variables = variables_of(sidecar, "10.1.2.3")
    text = only(name, "ConfigMap")["data"]["sidecar.yaml"]
    config = parse_config(text, variables, {}, Path("/etc/sidecar"))
    (port,) = sidecar["ports"]
    urls = {
        entry["value"]
        for entry in pod_of(name)["containers"][0]["env"]
        if entry["name"] == "OPENAI_BASE_URL"
    }

    assert ("127.0.0.1:8402", "0.0.0.0:9402") == (str(config.listen), str(config.admin))
    assert (config.admin.port, ("10.1.2.3:9402",)) == (port["containerPort"], config.hosts)
    assert {f"http://{config.listen}/v1"} == urls
    assert "/var/lib/sidecar/state" == str(config.state_dir)
    assert EVM_KEY == getattr(config.wallets["main"].key, "where", "")
    assert APP_TOKEN == getattr(config.callers["app"].token, "where", "")


@pytest.mark.parametrize("name", WORKLOADS)
def test_time_and_room(name: str) -> None:
    """The pod gives the sidecar the time to drain, and the memory that its limits allow."""
    sidecar, pod = sidecar_of(name), pod_of(name)
    text = only(name, "ConfigMap")["data"]["sidecar.yaml"]
    limits = parse_config(text, {"HOME": "/"}, {}, Path("/")).limits
    memory = int(sidecar["resources"]["limits"]["memory"].removesuffix("Mi")) * MIB

    assert pod["terminationGracePeriodSeconds"] > 2 * limits.drain_wait_s
    assert memory > limits.replay_memory_max + 100_000 * KIB


@pytest.mark.parametrize("name", WORKLOADS)
def test_closed(name: str) -> None:
    """The sidecar is not root, has no capability or API token, and writes in its volume alone."""
    pod, sidecar = pod_of(name), sidecar_of(name)

    assert {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    } == sidecar["securityContext"]
    assert ["sidecar-ledger"] == [
        mount["name"] for mount in sidecar["volumeMounts"] if not mount.get("readOnly")
    ]
    assert (False, False) == (pod["automountServiceAccountToken"], pod["enableServiceLinks"])
    # Recursive, it would open the state folder and what is in it to the group.
    assert (USER, "OnRootMismatch") == (
        pod["securityContext"]["fsGroup"],
        pod["securityContext"]["fsGroupChangePolicy"],
    )


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_secret(name: str) -> None:
    """No key or token is in the manifests: they name a Secret, and do not make it."""
    app = pod_of(name)["containers"][0]
    (token,) = (entry for entry in app["env"] if entry["name"] == "OPENAI_API_KEY")

    assert {"secretKeyRef": {"name": "sidecar-secrets", "key": "app.token"}} == token["valueFrom"]
    assert "Secret" not in {each["kind"] for each in rendered(name)}


def test_one_ledger() -> None:
    """The ledger is never in two pods: neither two of one time, nor an old one beside its next."""
    deployment = only("deployment", "Deployment")["spec"]
    claim = only("deployment", "PersistentVolumeClaim")["spec"]

    assert (1, {"type": "Recreate"}) == (deployment["replicas"], deployment["strategy"])
    assert ["ReadWriteOncePod"] == claim["accessModes"]


def test_side_by_side() -> None:
    """Deployment, Job and what a namespace has once can all be in one namespace."""
    names = [(each["kind"], each["metadata"]["name"]) for name in KINDS for each in rendered(name)]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("name", WORKLOADS)
def test_selected(name: str) -> None:
    """Network policy and monitor are for the pods that have the sidecar, and name its port."""
    kind = {"deployment": "Deployment", "job": "Job"}[name]
    labels = only(name, kind)["spec"]["template"]["metadata"]["labels"]
    policy = only("namespace", "NetworkPolicy")["spec"]
    monitor = only("namespace", "PodMonitor")["spec"]
    (port,) = sidecar_of(name)["ports"]
    (ingress,), (endpoint,) = policy["ingress"], monitor["podMetricsEndpoints"]

    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert [{"port": port["name"], "protocol": "TCP"}] == ingress["ports"]
    assert (port["name"], "/metrics") == (endpoint["port"], endpoint["path"])


def test_network() -> None:
    """Out go names and TLS to the world; the cloud's metadata and the cluster are not the world."""
    policy = only("namespace", "NetworkPolicy")["spec"]
    names, world = policy["egress"]
    four, _ = (peer["ipBlock"] for peer in world["to"])

    assert ["Ingress", "Egress"] == policy["policyTypes"]
    assert [53, 53] == [port["port"] for port in names["ports"]]
    assert [443] == [port["port"] for port in world["ports"]]
    assert {"169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(
        four["except"]
    )


@pytest.mark.parametrize("name", WORKLOADS)
def test_image_version(name: str) -> None:
    """The manifests name the image of this version, and never the latest."""
    assert sidecar_of(name)["image"].endswith(f"/x402-sidecar:{__version__}")


def test_config_rolls_the_pods(tmp_path: Path) -> None:
    """A changed config has another name, so that the pods are made anew."""
    folder = tmp_path / "kubernetes"
    subprocess.run(["cp", "-r", KUBERNETES, folder], check=True)
    config = folder / "sidecar/sidecar.yaml"
    config.write_text(config.read_text().replace("20.00 USDC", "21.00 USDC"))
    changed = [*yaml.safe_load_all(rendered_text(folder / "deployment"))]

    assert _config_name(rendered("deployment")) != _config_name(changed)


def _config_name(manifests: Any) -> str:
    (deployment,) = (each for each in manifests if each["kind"] == "Deployment")
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    (config,) = (volume["configMap"] for volume in volumes if "configMap" in volume)
    name: str = config["name"]
    return name
