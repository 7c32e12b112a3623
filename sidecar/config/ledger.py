"""Where payments are written down: in a file of this machine, or in a Postgres that many share.

What was rehearsed is no part of the books: shadow mode has a file, or a schema, of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.config.fields import Field, Section
from sidecar.config.model import Mode, PostgresUrl, SqliteFile
from sidecar.config.secret_ref import Places, read_secret_ref
from sidecar.money import Usdc

if TYPE_CHECKING:
    from sidecar.ledger.slices import LeaseTerms

NAME = "ledger.db"
LEASED_NAME = "leased.db"  # what a machine spends slices in
SCHEMA, SHADOW_SCHEMA = "sidecar", "sidecar_shadow"
LEASE_SIZE, LEASE_LIFETIME_S = Usdc.parse("1.00 USDC"), 60
OPTIONS = ("lease_s", "connections_max", "migrate", "leases")  # beside the place of the URL


def read_ledger(
    field: Field, places: Places, state_dir: Path, mode: Mode
) -> SqliteFile | PostgresUrl:
    """The place that is named; where there is none, or a wrong one, the usual file."""
    section = field.section(("sqlite", "postgres"))
    sqlite, postgres = section.at("sqlite"), section.at("postgres")
    file = _read_file(sqlite, Places(state_dir, places.home), mode)
    if not postgres.is_given:
        return file
    if sqlite.is_given:
        postgres.mistake("a ledger has one place, and this has sqlite too", "leave one of them out")
    return _read_postgres(postgres, places, mode) or file


def _read_file(field: Field, places: Places, mode: Mode) -> SqliteFile:
    name = field.text(NAME, fix="name a file")
    if "\0" in name:
        field.mistake("not a path", "name a file")
        name = NAME
    path = places.path(name)
    return SqliteFile(path.with_name(f"{path.name}.shadow") if mode == "shadow" else path)


def _read_postgres(field: Field, places: Places, mode: Mode) -> PostgresUrl | None:
    url = read_secret_ref(field, places, beside=OPTIONS)
    if url is None:
        return None
    usual = PostgresUrl(url)
    # What is unknown in it was noted as the URL's place was read.
    section = Section(field, {name: option.entry for name, option in field.named()})
    return PostgresUrl(
        url,
        schema=SHADOW_SCHEMA if mode == "shadow" else SCHEMA,
        lease_s=section.at("lease_s").seconds(usual.lease_s, 1, 300),
        connections_max=section.at("connections_max").integer(usual.connections_max, 2, 64),
        migrate=section.at("migrate").flag(usual.migrate),
        leases=_read_leases(section.at("leases")),
    )


def _read_leases(field: Field) -> LeaseTerms | None:
    """What is taken of a budget at a time. Empty says the usual, and absent that nothing is."""
    if not field.is_given:
        return None
    # Not for those who take no slices.
    from sidecar.ledger.slices import LeaseTerms  # noqa: PLC0415 - see above

    section = field.section(("size", "lifetime_s"))
    size = section.at("size").amount() or LEASE_SIZE
    if section.at("size").is_given and not size.atomic:
        section.at("size").mistake("a slice of nothing", "leave leases out to take none")
    lifetime_s = section.at("lifetime_s").seconds(LEASE_LIFETIME_S, 5, 3_600)
    return LeaseTerms(size, lifetime_s)
