"""How credit is bought and prices are bounded, and what a person has to approve."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

from sidecar.config.fields import Field, show
from sidecar.config.model import ApprovalConfig, TopUpConfig
from sidecar.config.urls import read_url
from sidecar.money import ZERO, Usdc
from sidecar.providers.cost import Price

# What the vendors suggest; x402layer sells packages, whose price it says itself.
USUAL_AMOUNTS = {"venice": Usdc(10_000_000), "nodit": Usdc(1_000_000)}
TOP_UPS_PER_HOUR_MAX = 60
WAIT_S_MAX = 600
PRICE_USD_MAX = Decimal(1_000_000)
PRICE_JUMP_MIN = Decimal("1.1")
PRICE_JUMP_MAX = Decimal(1_000)

_RATIO = re.compile(r"[1-9][0-9]{0,3}(\.[0-9]{1,3})?", re.ASCII)


def read_top_up(field: Field, provider: str, max_payment: Usdc | None) -> TopUpConfig:
    """How a prepaid route buys credit."""
    section = field.section(("amount", "low_water", "max_per_hour", "wait_s"))
    usual = USUAL_AMOUNTS.get(provider)
    amount = section.at("amount").amount() or usual
    low_water = section.at("low_water").amount()
    if usual is None:
        for key in ("amount", "low_water"):
            if section.at(key).is_given:
                section.at(key).mistake(f"{provider} sells packages of its own", "remove it")
        amount = low_water = None
    if amount is not None and max_payment is not None and amount > max_payment:
        field.mistake(
            f"the amount is {amount}, and the route pays at most {max_payment} at a time",
            "raise max_payment, or buy less",
        )
    if amount is not None and amount.atomic == 0:
        section.at("amount").mistake("no credit is that small", f'write it like "{usual}"')
    return TopUpConfig(
        amount,
        low_water,
        section.at("max_per_hour").integer(2, 1, TOP_UPS_PER_HOUR_MAX),
        section.at("wait_s").seconds(60, 1, WAIT_S_MAX),
    )


def read_approval(field: Field) -> ApprovalConfig | None:
    """What a person has to approve; None where nobody is asked."""
    if not field.is_given:
        return None
    section = field.section(("above", "wait_s", "webhook"))
    above = section.at("above").required('write an amount, like "5.00 USDC"').amount()
    return ApprovalConfig(
        above=above or ZERO,
        wait_s=section.at("wait_s").seconds(120, 1, WAIT_S_MAX),
        # Chat services put their secret into the path or the query.
        webhook=read_url(section.at("webhook"), insecure=False, query=True),
    )


def read_prices(field: Field) -> Mapping[str, Price]:
    """Every model's price by the model's name."""
    prices = {}
    for model, entry in field.named():
        section = entry.section(("input", "output"))
        prices[model] = Price(_price(section.at("input")), _price(section.at("output")))
    return MappingProxyType(prices)


def _price(field: Field) -> Decimal:
    fix = 'write US dollars for a million tokens, like "0.60"'
    text = field.required(fix).text(fix=fix)
    try:
        price = Decimal(text or "0")
    except InvalidOperation:
        price = Decimal(-1)
    if not (price.is_finite() and 0 <= price <= PRICE_USD_MAX):
        field.mistake(f"not a price: {show(text)}", fix)
        return Decimal(0)
    return price


def read_price_jump(field: Field) -> Decimal | None:
    """How many times the usual price is too much: text, or a whole number."""
    value = None if field.entry is None else field.entry.value
    fix = 'write how many times the usual price, like 3 or "1.5"'
    # A float has been rounded already when it gets here; a flag is an int to Python.
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        text = field.text(fix=fix)
    if not text:
        return None
    if _RATIO.fullmatch(text) is None:
        field.mistake(f"not a ratio: {show(text)}", fix)
        return None
    ratio = Decimal(text)
    if not PRICE_JUMP_MIN <= ratio <= PRICE_JUMP_MAX:
        field.mistake(f"out of range: {text}", f"use {PRICE_JUMP_MIN} to {PRICE_JUMP_MAX}")
        return None
    return ratio
