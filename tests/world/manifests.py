"""Our Kubernetes manifests as a cluster would get them, by kubectl's own kustomize."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.world.processes import ROOT, WORLD, installed

KUBERNETES = ROOT / "deploy/kubernetes"
TOOLS = WORLD / "deploy"

Manifest: TypeAlias = dict[str, Any]


@cache
def rendered(name: str) -> tuple[Manifest, ...]:
    """Every document of ``kubectl kustomize``; nobody changes them."""
    return tuple(yaml.safe_load_all(rendered_text(KUBERNETES / name)))


def rendered_text(folder: Path) -> str:
    """What it prints for this folder. A warning is a fault: what is deprecated ends one day."""
    done = subprocess.run(
        [installed(TOOLS / "bin/kubectl"), "kustomize", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def only(name: str, kind: str) -> Manifest:
    """The one document of this kind."""
    (found,) = (each for each in rendered(name) if each["kind"] == kind)
    return found


def pod_of(name: str) -> Manifest:
    """The pod's spec of the workload in there."""
    kind = {"deployment": "Deployment", "job": "Job"}[name]
    spec: Manifest = only(name, kind)["spec"]["template"]["spec"]
    return spec


def sidecar_of(name: str) -> Manifest:
    """The sidecar's container in that pod."""
    (found,) = (each for each in pod_of(name)["initContainers"] if each["name"] == "sidecar")
    container: Manifest = found
    return container


def variables_of(container: Manifest, pod_address: str) -> dict[str, str]:
    """Its environment, as the kubelet makes it: ``$(NAME)`` stands for a variable before it."""
    variables: dict[str, str] = {}
    for entry in container["env"]:
        if "valueFrom" in entry:
            source = entry["valueFrom"].get("fieldRef", {}).get("fieldPath")
            if source == "status.podIP":
                variables[entry["name"]] = pod_address
            continue
        value = entry["value"]
        for name, known in variables.items():
            value = value.replace(f"$({name})", known)
        variables[entry["name"]] = value
    return variables
