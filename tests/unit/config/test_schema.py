"""The published schema beside the reader: what one refuses the other refuses, or it is said why.

Every key gets every wrong value, on every kind of route, and so does the corpus of typical
mistakes that the reader's own tests have.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from sidecar.config.read import load_config
from sidecar.config.reference import KEYS
from sidecar.config.reference.key import Key
from tests.unit.config import (
    test_mistakes,
    test_parties,
    test_routes,
    test_urls,
    test_vendors,
)
from tests.unit.config.configs import GONE, changed
from tests.unit.config.places import (
    ROUTE_KINDS,
    Steps,
    base_config,
    is_on,
    places_of,
    put,
    ready_for,
)
from tests.unit.config.schemas import (
    CONFIG,
    READER_ONLY,
    READER_ONLY_OF_POINTS,
    SCHEMA,
    reader_mistakes,
    schema_mistakes,
    unexplained,
)

EXAMPLES = sorted(CONFIG.glob("*.yaml"))
CORPUS: list[tuple[tuple[str | int, ...], object, str]] = [
    *test_mistakes.TOP,
    *test_mistakes.TUNING,
    *test_parties.WALLETS,
    *test_parties.CHAINS,
    *test_parties.BUDGETS,
    *test_parties.CALLERS,
    *test_routes.ROUTES,
    *test_routes.MONEY,
    *test_urls.URLS,
]
# Of every type, and near to what belongs somewhere.
WRONG: tuple[Any, ...] = (
    GONE,
    None,
    True,
    -1,
    0,
    7.0,
    0.05,
    10**12,
    "",
    "0",
    "word",
    "5.00 USDC",
    "0.00 USDC",
    "10m",
    "99999h",
    "16MB",
    "2000 GiB",
    "127.0.0.1:99999",
    "https://a.example/?b#c",
    "http://a.example",
    [],
    ["word"],
    ["a", "a"],
    [None],
    {},
    {"word": 1},
    {"file": ""},
    {"file": "f", "env": "E"},
    {"env": "1x"},
)
# On the other kinds of route: is it taken at all, and may it be left out?
FEW: tuple[Any, ...] = (GONE, None, "word", {})
ROWS = [key for key in KEYS if key.path not in {"secret", "key"}]


def test_draft() -> None:
    """The schema is one of draft 2020-12, and says so."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert "https://json-schema.org/draft/2020-12/schema" == SCHEMA["$schema"]


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_older_editors(kind: str) -> None:
    """An editor that reads it by draft 7, as many still do, comes to the same."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    older = jsonschema.Draft7Validator(SCHEMA)
    tree = base_config(kind)

    assert [] == list(older.iter_errors(tree))
    for steps in (("limit",), ("routes", "r", "provider"), ("wallets", "main", "key", "word")):
        assert [] != list(older.iter_errors(put(copy.deepcopy(tree), steps, 1)))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples(path: Any) -> None:
    """Every config in config/ is valid, names its schema first, and says what to do first."""
    text = path.read_text()
    head = text.partition("\nversion: 1")[0]

    assert [] == schema_mistakes(text)
    assert load_config(path, {"HOME": "/home/ann"}, {}).routes
    assert text.startswith("# yaml-language-server: $schema=../sidecar/config/schema.json\n")
    assert "\n# First: " in head


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_bases(kind: str) -> None:
    """The configs that are mutated below have no mistake for either."""
    text = json.dumps(base_config(kind))

    assert ((), []) == (reader_mistakes(text), schema_mistakes(text))


@pytest.mark.parametrize("key", ROWS, ids=lambda key: key.path)
def test_mutations(key: Key) -> None:
    """Whatever one of the two refuses of this key the other refuses, but for what it cannot see."""
    kinds = ROUTE_KINDS if key.path.startswith("routes.") else ("api_key",)
    thorough = next(kind for kind in kinds if is_on(key, kind))
    found = {}
    for kind in kinds:
        base = ready_for(key, base_config(kind))
        if key.path.startswith("routes."):
            # What the route refers to, and no more: the less there is, the more can be tried.
            base = {name: base[name] for name in ("version", "wallets", "budgets", "routes")}
        for steps in places_of(key, base):
            for value in WRONG if kind == thorough else FEW:
                wrong = unexplained(json.dumps(put(copy.deepcopy(base), steps, value)))
                if wrong:
                    found[f"{kind} {steps} = {value!r}"] = wrong

    assert {} == found


@pytest.mark.parametrize(("steps", "written", "message"), CORPUS)
def test_corpus(steps: tuple[str | int, ...], written: object, message: str) -> None:
    """Of the typical mistakes the schema refuses all but those that only the reader can see."""
    assert "" == unexplained(changed(*steps, to=written)), message


@pytest.mark.parametrize(("changes", "message"), test_vendors.MISTAKES)
def test_corpus_of_vendors(changes: dict[str, Any], message: str) -> None:
    """The same of the mistakes in the routes of vendors."""
    assert "" == unexplained(test_vendors.written(changes)), message


VENICE = test_vendors.VENICE
LIBERTAI = VENICE | {"provider": "libertai"}
ON_SOCKET: tuple[Steps, Any] = (("listen",), "unix:/run/x402/sidecar.sock")
KEYED = {"provider": "api_key", "upstream": "https://a.example", "api_key": {"env": "K"}}
TWO = [{"name": "a", "uid": 1000}, {"name": "b", "uid": 1000}]
UP: Steps = ("routes", "r", "upstream")
# Changes of a good config that the schema passes and the reader refuses.
ONLY_READ: tuple[tuple[tuple[Steps, Any], ...], ...] = (
    ((("routes", "r", "wallet"), "other"),),
    ((("budgets", 1, "name"), "day"),),
    ((("routes", "s"), KEYED | {"default": True}), (("routes", "r", "default"), True)),
    ((("routes", "r", "wallet"), "sol"),),
    ((("routes", "v"), VENICE | {"networks": ["eip155:8453", "eip155:1"]}),),
    ((("routes", "v"), VENICE | {"top_up": {"amount": "11.00 USDC"}}),),
    ((("limits", "replay_memory_max"), "1 MiB"),),
    ((("admin",), "127.0.0.1:8402"),),
    ((UP, "http://127.0.0.1:8402"),),
    ((UP, "http://a.example"),),
    ((("callers", 0), {"name": "a", "uid": 1000}),),
    (ON_SOCKET,),
    (ON_SOCKET, (("callers",), []), (("auth",), "none")),
    (ON_SOCKET, (("callers",), TWO)),
    (ON_SOCKET, (("callers",), [{"name": "a", "uid": "no-such-user"}])),
    ((("wallets", "main", "key"), {"file": "ab" * 32}),),
    ((("wallets", "main", "key"), {"env": "abcdef0123456789abcdef0123456789"}),),
    ((("state_dir",), "a\0b"),),
    ((("ledger", "sqlite"), "a\0b"),),
    ((("listen",), f"unix:/{'a' * 96}"), (("callers",), [])),
    ((("limits", "replay_bytes_max"), "2000 GiB"),),
    ((("routes", "r", "breaker", "window"), "99999h"),),
    ((("routes", "r", "price_jump_max"), "1001"),),
    ((("routes", "l"), LIBERTAI | {"prices": {"m": {"input": "cheap", "output": "0.1"}}}),),
    ((("routes", "r", "pay_to"), ["z" * 44]),),
    ((UP, "https://a..example"),),
    ((UP, "https://a.example:99999"),),
    ((UP, "https://a.example:0"),),
    ((UP, "https://a.example/../b"),),
    ((("chains", "eip155:8453", "rpc"), ["https://a.example", "https://A.example"]),),
    ((("listen",), "unix:/"), (("callers",), [])),
    ((("limits", "connections_max"), 7.0),),
    ((("version",), 1.0),),
    ((("routes", "r", "price_jump_max"), 3.0),),
)


def test_only_the_reader() -> None:
    """Whatever is said to be seen by the reader alone is passed by the schema, and is refused."""
    seen = set()
    disagree = []
    for changes in ONLY_READ:
        tree = base_config("pay_per_request")
        for steps, value in changes:
            put(tree, steps, value)
        text = json.dumps(tree)
        mistakes = reader_mistakes(text)
        if schema_mistakes(text) or not mistakes:
            disagree.append((changes, mistakes, schema_mistakes(text)))
        patterns = (*READER_ONLY, *READER_ONLY_OF_POINTS)
        seen |= {why for why in patterns if any(re.search(why, each) for each in mistakes)}

    assert [] == disagree
    assert {*READER_ONLY, *READER_ONLY_OF_POINTS} == seen
