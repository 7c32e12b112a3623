"""What the process does that is forked for each planted bug: loads libraries, nothing of ours."""

from __future__ import annotations

import gc
from importlib import import_module

from hypothesis import Phase, settings

LIBRARIES = (
    "_pytest.junitxml",
    "_pytest.skipping",
    "_pytest.unittest",
    "aiohttp.web",
    "anyio._backends._asyncio",
    "coincurve",
    "eth_account",
    "eth_hash.backends.pycryptodome",
    "jsonschema",
    "nacl.signing",
    "openai.resources.chat.completions",
    "prometheus_client",
    "psycopg",
    "psycopg_binary",
    "pytest",
    "pytest_asyncio.plugin",
    "solders.transaction",
    "sqlite3",
    "structlog",
    "tomllib",
    "uvloop",
    "yaml",
)

for name in LIBRARIES:
    import_module(name)
# The first example that shows a bug is enough: nobody reads the smallest one.
settings.register_profile("first", phases=(Phase.explicit, Phase.generate))
settings.load_profile("first")
# As it ends, pytest collects garbage five times: through all of this it would take a third of
# what a short test of a planted bug takes.
gc.collect()
gc.freeze()
