"""Where the money goes, how much is left of it, and what is in doubt."""

from __future__ import annotations

from deploy.grafana.questions import (
    BUDGET_USED,
    COUNT,
    CREDIT_HOURS,
    HOURS,
    INSTANCE,
    PER_MINUTE,
    REQUESTS,
    ROUTE,
    SECONDS,
    SHARE,
    USD_HOURLY,
    USDC,
    USDC_HOURLY,
    WALLET_HOURS,
    Panel,
    Query,
    hourly,
    per_minute,
)

MONEY = (
    Panel(
        "Spent",
        "USDC that moved, in the time shown.",
        USDC,
        (Query(f"sum(increase(sidecar_spend_usdc_total{{{ROUTE}}}[$__range]))"),),
        4,
        "number",
    ),
    Panel(
        "In doubt",
        "Signed, and nobody can say yet whether it moved. Payments under way are among them.",
        USDC,
        (Query(f"sum(sidecar_in_doubt_usdc{{{ROUTE}}})"),),
        4,
        "number",
    ),
    Panel(
        "Oldest doubt",
        "Age of the oldest payment in doubt: minutes are usual, more is not.",
        SECONDS,
        (Query(f"max(sidecar_in_doubt_oldest_seconds{{{INSTANCE}}})"),),
        4,
        "number",
        (300, 600),
    ),
    Panel(
        "Paid, not delivered",
        "Payments that moved and were not served, in the time shown.",
        COUNT,
        (Query(f"round(sum(increase(sidecar_undelivered_total{{{ROUTE}}}[$__range])))"),),
        4,
        "number",
        (1, 3),
    ),
    Panel(
        "Fullest budget",
        "Spent and reserved, as a share of the limit.",
        SHARE,
        (Query(f"max({BUDGET_USED})"),),
        4,
        "number",
        (0.8, 1),
    ),
    Panel(
        "First wallet to be empty",
        "Hours, at the pace of the last 24; infinite while nothing is spent.",
        HOURS,
        (Query(f"min({WALLET_HOURS})"),),
        4,
        "number",
        (24, 1),
    ),
    Panel(
        "Spend by route",
        "USDC an hour, for requests; credit that is bought has a panel of its own.",
        USDC_HOURLY,
        (
            Query(hourly("sidecar_spend_usdc_total", "route", REQUESTS), "{{route}}"),
            Query(
                f"{hourly('sidecar_rehearsed_usdc_total', 'route')} > 0", "{{route}} (rehearsed)"
            ),
        ),
        kind="areas",
    ),
    Panel(
        "Spend by caller",
        "USDC an hour, for requests.",
        USDC_HOURLY,
        (Query(hourly("sidecar_spend_usdc_total", "caller", REQUESTS), "{{caller}}"),),
        kind="areas",
    ),
    Panel(
        "Budgets used",
        "Spent and reserved in the current window, as a share of the limit.",
        SHARE,
        (Query(BUDGET_USED, "{{budget}}"),),
        kind="bars",
        limits=(0.8, 1),
    ),
    Panel(
        "Wallets",
        "USDC on the chain.",
        USDC,
        (
            Query(
                f"max by (wallet, network) (sidecar_wallet_balance_usdc{{{INSTANCE}}})",
                "{{wallet}} {{network}}",
            ),
        ),
    ),
    Panel(
        "Credit at vendors",
        "What the vendors say they hold, each in its own unit; of several accounts the lowest.",
        COUNT,
        (
            Query(
                f"min by (route, unit) (sidecar_provider_balance{{{ROUTE}}})", "{{route}} {{unit}}"
            ),
        ),
    ),
    Panel(
        "Hours left",
        "At the pace of the last 24 hours: of wallets, and of credit that nothing tops up.",
        HOURS,
        (
            Query(f"min by (wallet, network) ({WALLET_HOURS})", "{{wallet}} {{network}}"),
            Query(f"min by (route, unit) ({CREDIT_HOURS})", "{{route}} {{unit}}"),
        ),
        kind="bars",
        limits=(24, 1),
    ),
    Panel(
        "Credit bought",
        "USDC in the last hour, at vendors that are paid in advance.",
        USDC,
        (
            Query(
                "sum by (route) (increase(sidecar_spend_usdc_total"
                f'{{{ROUTE}, purpose="top_up"}}[1h]))',
                "{{route}}",
            ),
        ),
    ),
    Panel(
        "What requests cost",
        "US dollars an hour: as vendors say, and as we reckon where they do not.",
        USD_HOURLY,
        (
            Query(hourly("sidecar_cost_usd_total", "route"), "{{route}}"),
            Query(hourly("sidecar_cost_estimated_usd_total", "route"), "{{route}} (reckoned)"),
        ),
    ),
    Panel(
        "Payments by outcome",
        "A minute. One in doubt counts again once it is proved.",
        PER_MINUTE,
        (Query(per_minute("sidecar_payments_total", "outcome"), "{{outcome}}"),),
    ),
)
