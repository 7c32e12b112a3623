"""Whom TLS believes: what Python's own default would, and nobody by a context that is not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sidecar.proxy.certificates import NEVER_USED
from tests.world.certificate import make_certificate
from tests.world.processes import ROOT

# What a context believes: its certificates, and what it asks of whoever is reached.
ASKED = """
import json, ssl, sys
def told(context):
    return [len(context.get_ca_certs()), context.verify_mode.name, context.check_hostname]
"""
OURS = """
from sidecar.proxy.certificates import believed
from aiohttp import connector
print(json.dumps({
    "ours": told(believed()),
    "ours again": believed() is believed(),
    "aiohttp's": told(connector._SSL_CONTEXT_VERIFIED),
    "unverified": told(connector._SSL_CONTEXT_UNVERIFIED),
    "anybody's": told(ssl.create_default_context()),
}))
"""
BEFORE = "import aiohttp\n"
LEFT_OUT = """
from sidecar.proxy.certificates import NEVER_USED
left_out = [name for name in NEVER_USED if name not in sys.modules]
import bz2, frozenlist, lzma, importlib
print(json.dumps({
    "left out": left_out,
    "anybody's": [len(each.decompress(each.compress(b"x"))) for each in (bz2, lzma)],
    "loaded later": [importlib.import_module(name).__name__ for name in left_out],
    "in its place": sorted(frozenlist.FrozenList([2, 1])),
}))
"""


def told(tmp_path: Path, program: str) -> dict[str, Any]:
    """What a process prints that is to believe one certificate."""
    certificate = make_certificate(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ASKED + program],
        cwd=ROOT,
        env={**os.environ, "SSL_CERT_FILE": str(certificate.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_believed(tmp_path: Path) -> None:
    """Our one context believes what Python's own would, asks for the name, and is made once."""
    seen = told(tmp_path, OURS)

    assert [1, "CERT_REQUIRED", True] == seen["anybody's"]
    assert seen["anybody's"] == seen["ours"]
    assert seen["ours again"]


def test_aiohttps_own(tmp_path: Path) -> None:
    """No certificate is read as aiohttp is imported, so that its own context believes nobody."""
    seen = told(tmp_path, OURS)

    assert [0, "CERT_REQUIRED", True] == seen["aiohttp's"]
    assert 0 == seen["unverified"][0]


def test_imported_before(tmp_path: Path) -> None:
    """Where aiohttp was imported before us it keeps what it read, and ours is the same."""
    seen = told(tmp_path, BEFORE + OURS)

    assert [1, "CERT_REQUIRED", True] == seen["aiohttp's"]
    assert seen["aiohttp's"] == seen["ours"]


def test_left_out(tmp_path: Path) -> None:
    """C code for what is never done here is not loaded with aiohttp, and can be later."""
    seen = told(tmp_path, LEFT_OUT)

    assert list(NEVER_USED) == seen["left out"]
    assert [1, 1] == seen["anybody's"]
    assert list(NEVER_USED) == seen["loaded later"]
    assert [1, 2] == seen["in its place"]


def test_loaded_before(tmp_path: Path) -> None:
    """What somebody else loaded before us stays loaded."""
    seen = told(tmp_path, BEFORE + LEFT_OUT)

    assert [] == seen["left out"]
    assert [1, 1] == seen["anybody's"]
