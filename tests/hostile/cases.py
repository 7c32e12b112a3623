"""All the named cases; a name stands once."""

from __future__ import annotations

from tests.hostile import (
    cases_bomb,
    cases_price,
    cases_scheme,
    cases_sign_in,
    cases_solana,
    cases_token,
    cases_vendor,
)
from tests.hostile.case import Case

CASES: tuple[Case, ...] = (
    *cases_price.CASES,
    *cases_token.CASES,
    *cases_scheme.CASES,
    *cases_bomb.CASES,
    *cases_solana.CASES,
    *cases_sign_in.CASES,
    *cases_vendor.CASES,
)
