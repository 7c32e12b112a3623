"""Bugs of whom TLS believes, and of what is imported with aiohttp, made once and kept."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BELIEVED = "tests/unit/proxy/test_certificates.py"
REACHED = "tests/e2e/test_certificates.py"
LOADED = "tests/e2e/test_loaded.py"

CERTIFICATES = (
    Mutant(
        "reaches upstreams by a context that believes nobody",
        "sidecar/proxy/upstream.py",
        'trust = believed() if origin.scheme == "https" else True',
        "trust = believed() and True",
        (f"{REACHED}::test_upstream[believed]",),
    ),
    Mutant(
        "believes any certificate",
        "sidecar/proxy/certificates.py",
        "context = ssl.create_default_context()",
        "context = ssl._create_unverified_context()",
        (f"{BELIEVED}::test_believed", f"{REACHED}::test_upstream[another]"),
    ),
    Mutant(
        "reads the certificates for each upstream",
        "sidecar/proxy/certificates.py",
        "@cache\n",
        "",
        (f"{BELIEVED}::test_believed",),
    ),
    Mutant(
        "lets aiohttp read the certificates as it is imported",
        "sidecar/proxy/certificates.py",
        "\n\n_import_aiohttp()\n",
        "\n",
        (f"{BELIEVED}::test_aiohttps_own",),
    ),
    Mutant(
        "leaves every context of the process without certificates",
        "sidecar/proxy/certificates.py",
        "        del ssl.SSLContext.set_default_verify_paths\n",
        "        pass\n",
        (f"{BELIEVED}::test_believed",),
    ),
    Mutant(
        "imports aiohttp's applications",
        "sidecar/proxy/web.py",
        "from aiohttp.web_server import Server",
        "from aiohttp.web import Server",
        (f"{LOADED}::test_api_key",),
    ),
    Mutant(
        "loads Solana's endpoints for who pays on EVM chains",
        "sidecar/payments/wallet_balances.py",
        "from sidecar.rpc import evm\n",
        "from sidecar.rpc import evm, solana  # noqa: F401\n",
        (f"{LOADED}::test_wallet[evm]",),
    ),
    Mutant(
        "leaves a secret unredacted that is quoted in JSON",
        "sidecar/logs/redaction.py",
        'r"[ !#-&(-\\[\\]-~]*"',
        'r"[ -~]*"',
        ("tests/unit/test_redaction.py",),
    ),
)
