"""Whom the sidecar does not trust, and whether it can be trusted itself."""

from __future__ import annotations

from deploy.grafana.questions import (
    COUNT,
    INSTANCE,
    PER_MINUTE,
    ROUTE,
    SECONDS,
    USDC,
    Panel,
    Query,
    per_minute,
)

TRUST = (
    Panel(
        "Payments denied",
        "A minute, by the rule of ours that said no.",
        PER_MINUTE,
        (Query(f"{per_minute('sidecar_policy_denials_total', 'rule')} > 0", "{{rule}}"),),
    ),
    Panel(
        "Paid, not delivered, by route",
        "In the last hour. Three raise an alert; the breaker stops paying at its own limit.",
        COUNT,
        (
            Query(
                f"sum by (route) (increase(sidecar_undelivered_total{{{ROUTE}}}[1h]))", "{{route}}"
            ),
        ),
        limits=(1, 3),
    ),
    Panel(
        "Drift",
        "Foreign: left the wallet, and no payment explains it. Missing: booked, and never left.",
        USDC,
        (
            Query(
                f"max by (wallet, network, kind) (sidecar_drift_usdc{{{INSTANCE}}})",
                "{{wallet}} {{network}} {{kind}}",
            ),
        ),
    ),
    Panel(
        "Top-ups",
        "In the last hour, by how they ended.",
        COUNT,
        (
            Query(
                f"sum by (route, outcome) (increase(sidecar_topups_total{{{ROUTE}}}[1h]))",
                "{{route}} {{outcome}}",
            ),
            Query(f"max by (route) (sidecar_top_ups_stopped{{{ROUTE}}})", "{{route}} stopped"),
        ),
    ),
    Panel(
        "Sign-ins",
        "A minute, by how they ended.",
        PER_MINUTE,
        (Query(per_minute("sidecar_sign_ins_total", "route, outcome"), "{{route}} {{outcome}}"),),
    ),
    Panel(
        "Approvals",
        "Payments that wait for a person, and how waiting ended in the last hour.",
        COUNT,
        (
            Query(f"sum by (route) (sidecar_approvals_waiting{{{ROUTE}}})", "{{route}} waiting"),
            Query(
                f"sum by (outcome) (increase(sidecar_approvals_total{{{ROUTE}}}[1h]))",
                "{{outcome}}",
            ),
        ),
    ),
    Panel(
        "Clock skew",
        "How far our clock and each chain's are apart. Over 30 s nothing is signed.",
        SECONDS,
        (
            Query(
                f"max by (network) (abs(sidecar_clock_skew_seconds{{{INSTANCE}}}))", "{{network}}"
            ),
        ),
        limits=(20, 30),
    ),
    Panel(
        "Age of what we know",
        "How long ago balances were read, and ledger and chain compared.",
        SECONDS,
        (
            Query(
                f'max by (wallet, network) (sidecar_balance_age_seconds{{{INSTANCE}, route=""}})',
                "{{wallet}} {{network}}",
            ),
            Query(
                f'max by (route) (sidecar_balance_age_seconds{{{ROUTE}, route!=""}})',
                "{{route}}",
            ),
            Query(
                f"max by (wallet, network) (sidecar_drift_age_seconds{{{INSTANCE}}})",
                "{{wallet}} {{network}} compared",
            ),
        ),
    ),
    Panel(
        "Money in doubt",
        "By route. A busy sidecar always has some under way.",
        USDC,
        (Query(f"sum by (route) (sidecar_in_doubt_usdc{{{ROUTE}}})", "{{route}}"),),
    ),
)
