"""Every key of the config in one table, and what is made of it: the JSON Schema, the reference.

key       a row, and the kinds of value
general   the rows of the top, and of the numbers that have sensible defaults
parties   the rows of wallets, chains, budgets, callers, and of where secrets are kept
routes    the rows of routes, and which provider takes which
schema    the table as JSON Schema
page      the table as people read it, for config/README.md

``python -m sidecar.config.reference`` writes both. Nothing that serves imports this.
"""

from sidecar.config.reference.general import GENERAL
from sidecar.config.reference.key import Key
from sidecar.config.reference.parties import PARTIES
from sidecar.config.reference.routes import ROUTES

KEYS: tuple[Key, ...] = (*GENERAL, *PARTIES, *ROUTES)
