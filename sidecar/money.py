"""USDC amounts: whole atomic units, never a float.

Config and people write ``5.00 USDC``; the wire and the ledger hold atomic units.
"""

from __future__ import annotations

import re
from decimal import Decimal

from sidecar.values import dataclass

ATOMIC_PER_USDC = 1_000_000
DECIMALS = 6

_TEXT = re.compile(r"(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,6}))? USDC", re.ASCII)
_WIRE = re.compile(r"[1-9][0-9]{0,30}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Usdc:
    """USDC in atomic units: one USDC is 1_000_000."""

    atomic: int

    def __post_init__(self) -> None:
        # bool is an int, and a float would survive until the first hash.
        if type(self.atomic) is not int:
            raise TypeError(f"an amount is whole atomic units, not {self.atomic!r}")
        if self.atomic < 0:
            raise ValueError(f"an amount is never negative: {self.atomic}")

    @classmethod
    def parse(cls, text: str) -> Usdc:
        """Read ``"5.00 USDC"``; at most six decimals. ValueError says what it wants."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f'not an amount: {text!r}; write it like "5.00 USDC"')
        whole, fraction = match.groups()
        return cls(int(whole) * ATOMIC_PER_USDC + int((fraction or "").ljust(DECIMALS, "0")))

    @classmethod
    def from_wire(cls, text: object) -> Usdc | None:
        """Read a price in atomic units as sellers write it; None when it is not one.

        The grammar is ASCII ``[1-9][0-9]{0,30}`` (threats.md): no sign, no exponent, no zero,
        no JSON number, so that nothing can be read in two ways.
        """
        if not isinstance(text, str) or _WIRE.fullmatch(text) is None:
            return None
        return cls(int(text))

    def in_usd(self) -> Decimal:
        """The amount in whole USDC, which is counted as US dollars."""
        return Decimal(self.atomic) / 1_000_000

    @property
    def digits(self) -> str:
        """The amount as people write it, without its unit."""
        whole, fraction = divmod(self.atomic, ATOMIC_PER_USDC)
        digits = f"{fraction:06d}"
        # Cents always, finer digits only where there are any.
        return f"{whole}.{digits[:2]}{digits[2:].rstrip('0')}"

    def __add__(self, other: Usdc) -> Usdc:
        return Usdc(self.atomic + other.atomic)

    def __str__(self) -> str:
        return f"{self.digits} USDC"


ZERO = Usdc(0)
