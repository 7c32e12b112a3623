"""Variables that look like settings and are none."""

from __future__ import annotations

import pytest

from sidecar.config.read import VARIABLES
from sidecar.config.variables import strange_variables
from tests.unit.config.configs import changed, parsed

CONFIG = parsed(changed("routes", "keyed", "api_key", to={"env": "SIDECAR_OPENAI_KEY"}))


def test_typo() -> None:
    """A name that is close to a setting's is told with what was meant, another with them all."""
    found = strange_variables(
        {"SIDECAR_LISTN": "127.0.0.1:1", "SIDECAR_X": "", "HOME": "/"}, CONFIG
    )

    assert 'SIDECAR_LISTN is set and is no setting; did you mean "SIDECAR_LISTEN"?' == found[0]
    assert found[1].startswith("SIDECAR_X is set and is no setting; ")
    assert 2 == len(found)


def test_known() -> None:
    """What is a setting, names the config, or holds one of its secrets is none of these."""
    known = (*VARIABLES.values(), "SIDECAR_CONFIG", "SIDECAR_OPENAI_KEY")

    assert () == strange_variables(dict.fromkeys(known, "x"), CONFIG)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIDECAR_SERVICE_HOST", "10.0.0.1"),
        ("SIDECAR_SERVICE_PORT", "8402"),
        ("SIDECAR_SERVICE_PORT_DATA", "8402"),
        ("SIDECAR_PORT", "tcp://10.0.0.1:8402"),
        ("SIDECAR_PORT_8402_TCP", "tcp://10.0.0.1:8402"),
        ("SIDECAR_PORT_8402_TCP_ADDR", "10.0.0.1"),
        ("SIDECAR_ADMIN_SERVICE_HOST", "10.0.0.1"),
    ],
)
def test_service_links(name: str, value: str) -> None:
    """What Kubernetes says in every pod of a Service called sidecar is nobody's typo."""
    assert () == strange_variables({name: value}, CONFIG)


def test_port_of_a_person() -> None:
    """A person who sets SIDECAR_PORT is told."""
    assert 1 == len(strange_variables({"SIDECAR_PORT": "8402"}, CONFIG))
