"""The schema as a validator, and what only the reader can see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Without types of its own, and used in this one place.
import jsonschema  # type: ignore[import-untyped]

from sidecar.config.document import Entry, read_document
from sidecar.config.mistakes import Mistakes
from sidecar.config.read import examine_text
from sidecar.config.reference import KEYS
from sidecar.config.reference.schema import make_schema
from tests.unit.config.configs import ENVIRON, FOLDER

CONFIG = Path(__file__).parents[3] / "config"
SCHEMA_FILE = Path(__file__).parents[3] / "sidecar" / "config" / "schema.json"
SCHEMA = make_schema(KEYS)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# What only the reader can see, by its message, and why no schema can tell.
READER_ONLY = {
    "there is no (wallet|budget) ": "names something else of the file",
    "is used twice": "a name of another item",
    "is the default already": "another route",
    "is no network of a wallet of kind": "the wallet's kind",
    "is paid on one network": "a network that is named twice counts once",
    "the amount is .*, and the route pays at most": "another key's amount",
    "less than replay_bytes_max": "another key's size",
    "is the port of listen, too": "another key's port",
    "its upstream is the sidecar's own address": "another key's address",
    "http:// to another machine": "which host is this machine, and insecure beside it",
    "a TCP port does not tell": "listen, which a flag may change",
    "on a Unix socket the kernel": "listen, which a flag may change",
    "would let every user in": "listen, which a flag may change",
    "has the same one": "another caller",
    "there is no user": "the machine's users",
    "looks like a private key": "what is no path is still text",
    "not the name of an environment variable": "a key where a name belongs",
    "not a path; name a folder": "a NUL within text",
    "not a path; name a file": "a NUL within text",
    "a path of over": "bytes, where a schema counts letters",
    "out of range: [0-9]+( |[smhd]|[KMG]iB)": "the number in a text with its unit",
    "price_jump_max: out of range": "the number in a text",
    "not a price": "how Decimal reads a number",
    "not an address: .*Solana address": "whether base58 is 32 bytes",
    "not a host name": "a URL's parts",
    "not a URL: its host or port": "a URL's parts",
    "not a port": "a URL's parts",
    "a path with empty, dotted or escaped": "a URL's parts",
    "one URL is named twice": "two spellings of one URL",
    "not the path of a file": "a path's parts",
}
# The same, where a whole number is written with a decimal point: it is one to a schema.
_POINT = re.compile(r"\b[0-9]+\.0\b(?! USDC)")
READER_ONLY_OF_POINTS = ("not a whole number", "not a version", "price_jump_max: not text")


def as_data(entry: Entry) -> Any:
    """A document's values without their lines, as a validator takes them."""
    value = entry.value
    if isinstance(value, Mapping):
        return {name: as_data(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [as_data(each) for each in value]
    return value


def schema_mistakes(text: str) -> list[str]:
    """What the schema says of a config in YAML."""
    mistakes = Mistakes()
    document = read_document(text, mistakes)
    assert document is not None, mistakes.lines()
    return [error.message for error in VALIDATOR.iter_errors(as_data(document))]


def reader_mistakes(text: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    """What the reader says of it."""
    return examine_text(text, environ or ENVIRON, {}, FOLDER)[1].lines()


def unexplained(text: str) -> str:
    """Where schema and reader disagree of this config, and should not; "" where they agree."""
    refused, mistakes = schema_mistakes(text), reader_mistakes(text)
    if refused and not mistakes:
        return f"the schema is stricter: {refused[0]}"
    pointed = _POINT.search(text) is not None
    seen_only = [each for each in mistakes if not is_reader_only(each, pointed=pointed)]
    return f"the schema is laxer: {seen_only}" if seen_only and not refused else ""


def is_reader_only(mistake: str, *, pointed: bool) -> bool:
    """Whether only the reader can see this mistake."""
    patterns = (*READER_ONLY, *READER_ONLY_OF_POINTS) if pointed else READER_ONLY
    return any(re.search(pattern, mistake) for pattern in patterns)
