"""Bugs of the alert rules, and of the zeros that they start from.

A weakened rule would wake nobody, or everybody. promtool finds it, by the rules' own tests: see
tests/deploy/test_prometheus_rules.py, which plants these. ``FIRST_RISES`` are planted in the code: a
counter that is not there before its first event does not rise by it.
"""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RULES = "deploy/prometheus/rules.yaml"
BY = ("tests/deploy/test_prometheus_rules.py::test_alert",)

ALERT_RULES = tuple(
    Mutant(name, RULES, old, new, BY)
    for name, old, new in (
        (
            "takes any target that is down for a sidecar",
            "up == 0\n            and on (job, instance) last_over_time(sidecar_build_info[1d])\n        for",
            "up == 0\n        for",
        ),
        (
            "says absent of a sidecar that is down",
            "absent(sidecar_build_info)\n            unless on () (up == 0 and",
            "absent(sidecar_build_info)\n            unless on () (up == 2 and",
        ),
        (
            "is woken by one commit that failed",
            "increase(sidecar_ledger_write_failures_total[5m]) > 0",
            "sidecar_ledger_write_failures_total > 0",
        ),
        (
            "does not see that a ledger cannot be read",
            "            or sum without (version, python) (sidecar_build_info) unless on (job, instance) sidecar_frozen\n",
            "",
        ),
        (
            "takes a success for a failure to reload",
            "sidecar_config_last_reload_successful == 0",
            "sidecar_config_last_reload_successful == 1",
        ),
        (
            "misses a fault before the first scrape",
            "time() - process_start_time_seconds < 900",
            "time() - process_start_time_seconds < 0",
        ),
        (
            "takes an old count for a new fault",
            "time() - process_start_time_seconds < 900",
            "time() - process_start_time_seconds > 0",
        ),
        (
            "misses a clock that is behind",
            "abs(sidecar_clock_skew_seconds) > 30",
            "sidecar_clock_skew_seconds > 30",
        ),
        (
            "takes a busy sidecar for one in doubt",
            "            and on (job, instance) sidecar_in_doubt_oldest_seconds > 600\n",
            "            > 0\n",
        ),
        (
            "counts losses of each sidecar by itself",
            "sum by (job, route) (increase(sidecar_undelivered_total[1h])) > 2.5",
            "max by (job, route) (increase(sidecar_undelivered_total[1h])) > 2.5",
        ),
        (
            "is woken by one loss",
            "sum by (job, route) (increase(sidecar_undelivered_total[1h])) > 2.5",
            "sum by (job, route) (increase(sidecar_undelivered_total[1h])) > 0",
        ),
        (
            "takes the counter's fall at a restart for no losses",
            "sum by (job, route) (increase(sidecar_undelivered_total[1h])) > 2.5",
            "sum by (job, route) (delta(sidecar_undelivered_total[1h])) > 2.5",
        ),
        (
            "counts a doubt and its end as two failures",
            "max without (outcome) (\n",
            "sum without (outcome) (\n",
        ),
        (
            "does not look whether payments go through",
            '            increase(sidecar_payments_total{outcome="posted"}[15m])\n          ) > 0',
            '            increase(sidecar_payments_total{outcome="posted"}[15m])\n          ) > 1000',
        ),
        (
            "takes every refusal for another payee",
            'increase(sidecar_policy_denials_total{rule=~"payee_changed|pay_to"}[1h])',
            "increase(sidecar_policy_denials_total[1h])",
        ),
        (
            "is woken by a burst that is over",
            "sidecar_budget_remaining_usdc / rate(sidecar_budget_spent_usdc[5m]) < 3600",
            "sidecar_budget_remaining_usdc >= 0",
        ),
        (
            "forgets that a budget starts again within the hour",
            "            < sidecar_budget_remaining_usdc / rate(sidecar_budget_spent_usdc[1h])\n        for: 2m",
            "            < 0\n        for: 2m",
        ),
        (
            "forgets that a budget starts again within the day",
            "            < sidecar_budget_remaining_usdc / rate(sidecar_budget_spent_usdc[6h])\n        for: 15m",
            "            < 0\n        for: 15m",
        ),
        (
            "says a budget is spent while it is not asked for",
            'increase(sidecar_policy_denials_total{rule="budget"}[10m])',
            'increase(sidecar_policy_denials_total{rule="budget"}[40m])',
        ),
        (
            "takes a deposit for spending",
            "clamp_min(sidecar_wallet_balance_usdc offset 15m - sidecar_wallet_balance_usdc, 0)[1d:15m]\n              )\n          < 24",
            "abs(sidecar_wallet_balance_usdc offset 15m - sidecar_wallet_balance_usdc)[1d:15m]\n              )\n          < 24",
        ),
        (
            "takes a network that is not used for an empty wallet",
            "              )\n          < 1\n        for: 10m",
            "              )\n          < 1 or sidecar_wallet_balance_usdc == 0\n        for: 10m",
        ),
        (
            "is told of credit that is topped up",
            "            unless on (job, instance, route) sidecar_top_ups_stopped\n",
            "",
        ),
        (
            "does not look whether a top-up came",
            'increase(sidecar_topups_total{outcome="raised"}[1h])) > 0',
            'increase(sidecar_topups_total{outcome="raised"}[1h])) > 1000',
        ),
        (
            "counts refused top-ups as bought",
            'outcome=~"raised|unproven|in_doubt"',
            'outcome=~"raised|denied"',
        ),
        ("never hears of the rate limit of top-ups", 'rule="top_up_rate"', 'rule="top_up_rates"'),
        (
            "is woken by credit that is minutes late",
            "        expr: sidecar_top_ups_stopped == 1\n        for: 10m\n",
            "        expr: sidecar_top_ups_stopped == 1\n        for: 1m\n",
        ),
        (
            "nags at once about a freeze",
            "        expr: sidecar_frozen == 1\n        for: 15m\n",
            "        expr: sidecar_frozen == 1\n        for: 5m\n",
        ),
        ("mixes up the kinds of drift", 'kind="foreign"', 'kind!="foreign"'),
        (
            "sees wallets' balances only",
            "sidecar_balance_age_seconds > 1800",
            'sidecar_balance_age_seconds{route=""} > 1800',
        ),
        (
            "expects a comparison every minute",
            "sidecar_drift_age_seconds > 14400",
            "sidecar_drift_age_seconds > 60",
        ),
        (
            "does not look whether sign-ins succeed",
            'increase(sidecar_sign_ins_total{outcome="ok"}[15m])) > 0',
            'increase(sidecar_sign_ins_total{outcome="ok"}[15m])) > 1000',
        ),
        (
            "takes a person's refusal for nobody's",
            'sidecar_approvals_total{outcome="approval_timeout"}',
            'sidecar_approvals_total{outcome!="approved"}',
        ),
    )
)

METRICS = "tests/unit/test_metrics.py"
FIRST_RISES = (
    Mutant(
        "does not show a first top-up as a rise",
        "sidecar/metrics/tally.py",
        "            (self.spend, credit),\n",
        "",
        (f"{METRICS}::test_zeros_at_start",),
    ),
    Mutant(
        "does not show the payment of a first top-up as a rise",
        "sidecar/metrics/tally.py",
        "*([_CREDIT] if route in prepaid else [])",
        "",
        (f"{METRICS}::test_zeros_at_start",),
    ),
    Mutant(
        "does not show the first loss of a route of before as a rise",
        "sidecar/metrics/tally.py",
        'product([*payable, "other"])',
        "product(payable)",
        (f"{METRICS}::test_undelivered",),
    ),
)
