"""Ways to run it that give away more than they should, or that do not run."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DOCKERFILE = "tests/deploy/test_dockerfile.py"
COMPOSE = "tests/deploy/test_compose.py"
KUBERNETES = "tests/deploy/test_kubernetes.py"
SYSTEMD = "tests/deploy/test_systemd.py"
INJECT = "deploy/kubernetes/sidecar/inject.yaml"

CONTAINERS = (
    Mutant(
        "has an image that runs as root",
        "Dockerfile",
        "USER 65532:65532",
        "USER root",
        (f"{DOCKERFILE}::test_runs_as",),
    ),
    Mutant(
        "takes whatever the base's tag means today",
        "Dockerfile",
        "@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285",
        "",
        (f"{DOCKERFILE}::test_base",),
    ),
    Mutant(
        "sends keys and history to the build",
        ".dockerignore",
        "\n*\n",
        "\n",
        (f"{DOCKERFILE}::test_not_sent",),
    ),
    Mutant(
        "shows the status page to the network",
        "deploy/compose/compose.yaml",
        'ports: ["127.0.0.1:9402:9402"]',
        'ports: ["9402:9402"]',
        (f"{COMPOSE}::test_ports",),
    ),
    Mutant(
        "has containers with a root to write in",
        "deploy/compose/compose.yaml",
        "read_only: true",
        "read_only: false",
        (f"{COMPOSE}::test_closed",),
    ),
    Mutant(
        "is called by a name that it refuses",
        "deploy/compose/sidecar.yaml",
        'hosts: ["sidecar:8402", "sidecar:9402"]',
        'hosts: ["sidecar:8402"]',
        (f"{COMPOSE}::test_names",),
    ),
    Mutant(
        "holds a Job that has ended",
        INJECT,
        "          restartPolicy: Always\n",
        "",
        (f"{KUBERNETES}::test_native_sidecar",),
    ),
    Mutant(
        "restarts pods for a freeze",
        INJECT,
        "            httpGet: {path: /livez, port: sidecar-admin}\n            periodSeconds: 10\n",
        "            httpGet: {path: /readyz, port: sidecar-admin}\n            periodSeconds: 10\n",
        (f"{KUBERNETES}::test_probes",),
    ),
    Mutant(
        "refuses the kubelet and Prometheus",
        INJECT,
        'value: "$(POD_IP):9402"',
        'value: "sidecar:9402"',
        (f"{KUBERNETES}::test_config",),
    ),
    Mutant(
        "mounts keys as links",
        INJECT,
        "mountPath: /run/secrets/evm.key, subPath: evm.key",
        "mountPath: /run/secrets/evm.key",
        (f"{KUBERNETES}::test_keys_are_files",),
    ),
    Mutant(
        "opens the ledger's folder to the group at each start",
        INJECT,
        "        fsGroupChangePolicy: OnRootMismatch\n",
        "",
        (f"{KUBERNETES}::test_closed",),
    ),
    Mutant(
        "kills the sidecar before it has drained",
        INJECT,
        "terminationGracePeriodSeconds: 120",
        "terminationGracePeriodSeconds: 30",
        (f"{KUBERNETES}::test_time_and_room",),
    ),
    Mutant(
        "lets an app reach the cloud's metadata service",
        "deploy/kubernetes/namespace/network-policy.yaml",
        "169.254.0.0/16, ",
        "",
        (f"{KUBERNETES}::test_network",),
    ),
    Mutant(
        "has two ledgers while a pod is replaced",
        "deploy/kubernetes/deployment/app.yaml",
        "  strategy: {type: Recreate}\n",
        "",
        (f"{KUBERNETES}::test_one_ledger",),
    ),
    Mutant(
        "starts again and again with a mistaken config",
        "deploy/systemd/sidecar.service",
        "RestartPreventExitStatus=2\n",
        "",
        (f"{SYSTEMD}::test_life",),
    ),
    Mutant(
        "runs as root under systemd",
        "deploy/systemd/sidecar.service",
        "DynamicUser=yes\n",
        "",
        (f"{SYSTEMD}::test_exposure",),
    ),
    Mutant(
        "looks for the key where systemd does not put it",
        "deploy/systemd/sidecar.yaml",
        "/run/credentials/sidecar.service/evm.key",
        "/etc/sidecar/evm.key",
        (f"{SYSTEMD}::test_config",),
    ),
    Mutant(
        "takes no word from SIDECAR_HOSTS",
        "sidecar/config/read.py",
        "read_hosts(field if field is written else separated(field))",
        "read_hosts(written)",
        ("tests/unit/config/test_read.py::test_hosts_variable",),
    ),
    Mutant(
        "calls healthy whatever answers",
        "sidecar/cli/health.py",
        "    if status != 200:\n",
        "    if False:\n",
        ("tests/e2e/test_health.py::test_something_else",),
    ),
    Mutant(
        "makes the health check as heavy as all the rest",
        "sidecar/cli/health.py",
        "from http.client import HTTPConnection, HTTPException\n",
        "from http.client import HTTPConnection, HTTPException\nimport aiohttp\n",
        ("tests/e2e/test_health.py::test_light",),
    ),
)
