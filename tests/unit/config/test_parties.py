"""Wallets, chains, budgets and callers, wrong in each typical way."""

from __future__ import annotations

import pytest

from tests.unit.config.configs import BASE, GONE, PAYEE, changed, mistakes_in

NAME_RULE = "use up to 32 of a-z, 0-9, _ and -, starting with a letter or digit"
USDC_FIX = 'write it like "5.00 USDC"'
REF_FIX = "write {file: PATH} or {env: NAME}"
KEY_FIX = "write {file: PATH}, {env: NAME}, {keystore: {...}} or {signer: PATH}"
W = ("wallets", "main")
C = ("chains", "eip155:8453")

Steps = tuple[str | int, ...]

# Where it is, what is written there, and the whole message.
WALLETS: list[tuple[Steps, object, str]] = [
    (("wallets",), ["main"], "wallets: not a mapping; write it like {name: {...}}"),
    (
        ("wallets", "Main"),
        BASE["wallets"]["main"],
        f"wallets.Main: not a name: 'Main'; {NAME_RULE}",
    ),
    ((*W, "kind"), GONE, "wallets.main.kind: missing; use kind: evm or kind: solana"),
    (
        (*W, "kind"),
        "bitcoin",
        "wallets.main.kind: not a choice: 'bitcoin'; use one of: evm, solana",
    ),
    ((*W, "kind"), "evn", "wallets.main.kind: not a choice: 'evn'; did you mean \"evm\"?"),
    (
        (*W, "nonces"),
        "fixed",
        "wallets.main.nonces: not a choice: 'fixed'; use one of: derived, random",
    ),
    (
        W,
        {**BASE["wallets"]["main"], "kind": "solana", "nonces": "derived"},
        "wallets.main.nonces: Solana takes a second payment with the same memo; "
        "use it on EVM wallets only",
    ),
    (
        (*W, "key"),
        GONE,
        f"wallets.main.key: missing; {KEY_FIX}",
    ),
    (
        (*W, "key"),
        "0x" + "ab" * 32,
        f"wallets.main.key: a secret does not stand in the config itself; {KEY_FIX}",
    ),
    (
        (*W, "key"),
        {"file": "ab" * 32},
        "wallets.main.key.file: this looks like a private key, not like a file; "
        "write the key to a file and name it",
    ),
    *(
        (
            (*W, "key"),
            {"file": text},
            "wallets.main.key.file: this looks like a private key, not like a file; "
            "write the key to a file and name it",
        )
        for text in (
            "1thX6LZfHDZZKUs92febYZhYRcXddmzfzF2NvTkPNE2",
            "1GMkH3brNXiNNs1tiFZHu4yZSRrzJwxi5wB9bHFtMikjwpAW9DMZzU2Pqakc5it8X3N5vPmqdN7KF4CCUpmKhq",
            "[1, 2,\n 3]",
        )
    ),
    (
        (*W, "key"),
        {"file": "a", "env": "B"},
        f"wallets.main.key: a secret is kept in exactly one place; {KEY_FIX}",
    ),
    (
        (*W, "key"),
        {"env": "sk-not a name"},
        "wallets.main.key.env: not the name of an environment variable; "
        "name one, like OPENAI_API_KEY",
    ),
    ((*W, "key"), {"fil": "a"}, 'wallets.main.key.fil: unknown key; did you mean "file"?'),
    ((*W, "key"), {"file": 5}, "wallets.main.key.file: not text; name a file"),
    ((*W, "key"), {"file": "a\0b"}, "wallets.main.key.file: not a path; name a file"),
    (
        (*W, "key"),
        {"keystore": {"password": {"env": "P"}}},
        "wallets.main.key.keystore.file: missing; name the keystore file",
    ),
    (
        (*W, "key"),
        {"keystore": {"file": "k.json"}},
        f"wallets.main.key.keystore.password: missing; {REF_FIX}",
    ),
    (
        (*W, "key"),
        {"keystore": {"file": "k.json", "password": "hunter2"}},
        "wallets.main.key.keystore.password: a secret does not stand in the config itself; "
        f"{REF_FIX}",
    ),
    ((*W, "key"), {"signer": 5}, "wallets.main.key.signer: not text; name a file"),
    (
        (*W, "key"),
        {"signer": "s", "file": "a"},
        f"wallets.main.key: a secret is kept in exactly one place; {KEY_FIX}",
    ),
    (
        (*W, "address"),
        PAYEE,
        "wallets.main.address: unknown key; use one of: key, kind, nonces",
    ),
]

CHAINS: list[tuple[Steps, object, str]] = [
    (
        ("chains", "base"),
        {"rpc": ["https://rpc.example.com"]},
        "chains.base: not a network that we know: 'base'; write \"eip155:8453\"",
    ),
    (
        ("chains", "8453"),
        {"rpc": ["https://rpc.example.com"]},
        "chains.8453: not a network that we know: '8453'; write \"eip155:8453\"",
    ),
    ((*C, "rpc"), GONE, 'chains."eip155:8453".rpc: missing; write it like ["https://rpc.example"]'),
    ((*C, "rpc"), [], 'chains."eip155:8453".rpc: no URLs; name one, or two that must agree'),
    (
        (*C, "rpc"),
        "https://rpc.example.com",
        'chains."eip155:8453".rpc: not a list; write it like [first, second]',
    ),
    (
        (*C, "rpc"),
        ["http://rpc.example.com"],
        'chains."eip155:8453".rpc[0]: http:// to another machine is readable and changeable on '
        "its way; use https://, or set insecure: true beside it",
    ),
    (
        (*C, "rpc"),
        ["https://a.example", "https://a.example/"],
        'chains."eip155:8453".rpc: one URL is named twice; '
        "name two sources that can be checked against each other",
    ),
    (
        (*C, "rpc"),
        [f"https://{letter}.example" for letter in "abcde"],
        'chains."eip155:8453".rpc: 5 URLs; name at most 4',
    ),
    (
        (*C, "finality"),
        "latest",
        "chains.\"eip155:8453\".finality: not a choice: 'latest'; use one of: finalized, safe",
    ),
    ((*C, "insecure"), 1, 'chains."eip155:8453".insecure: not true or false; write true or false'),
]

BUDGETS: list[tuple[Steps, object, str]] = [
    (("budgets",), {"day": 5}, "budgets: not a list; write it like [first, second]"),
    (("budgets", 0, "name"), GONE, "budgets[0].name: missing; give the budget a name"),
    (("budgets", 0, "name"), 5, "budgets[0].name: not text; give the budget a name, in quotes"),
    (("budgets", 0, "name"), "a day", f"budgets[0].name: not a name: 'a day'; {NAME_RULE}"),
    (
        ("budgets", 1),
        BASE["budgets"][0],
        "budgets[1].name: 'day' is used twice; give each budget its own name",
    ),
    (("budgets", 0, "limit"), GONE, f"budgets[0].limit: missing; {USDC_FIX}"),
    (
        ("budgets", 0, "limit"),
        5.0,
        f"budgets[0].limit: an amount has its unit, and 5.0 has none; {USDC_FIX}",
    ),
    (
        ("budgets", 0, "limit"),
        5,
        f"budgets[0].limit: an amount has its unit, and 5 has none; {USDC_FIX}",
    ),
    (("budgets", 0, "limit"), "5 USD", f"budgets[0].limit: not an amount; {USDC_FIX}"),
    (("budgets", 0, "limit"), "-5.00 USDC", f"budgets[0].limit: not an amount; {USDC_FIX}"),
    (("budgets", 0, "limit"), "0.0000001 USDC", f"budgets[0].limit: not an amount; {USDC_FIX}"),
    (("budgets", 0, "limit"), True, f"budgets[0].limit: not an amount; {USDC_FIX}"),
    (
        ("budgets", 0, "window"),
        GONE,
        "budgets[0].window: missing; use one of: 1h, 1d, 30d, total",
    ),
    (
        ("budgets", 0, "window"),
        "7d",
        "budgets[0].window: not a choice: '7d'; use one of: 1d, 1h, 30d, total",
    ),
    (
        ("budgets", 0, "window"),
        1,
        "budgets[0].window: not text; use one of: 1h, 1d, 30d, total, in quotes",
    ),
]

CALLERS: list[tuple[Steps, object, str]] = [
    (("callers",), {"aider": {}}, "callers: not a list; write it like [first, second]"),
    (("callers", 0, "name"), GONE, "callers[0].name: missing; give the caller a name"),
    (("callers", 0, "name"), "Aider", f"callers[0].name: not a name: 'Aider'; {NAME_RULE}"),
    (
        ("callers", 1),
        BASE["callers"][0],
        "callers[1].name: 'aider' is used twice; give each caller its own name",
    ),
    (("callers", 0, "token"), GONE, f"callers[0].token: missing; {REF_FIX}"),
    (
        ("callers", 0, "token"),
        "sk-123",
        f"callers[0].token: a secret does not stand in the config itself; {REF_FIX}",
    ),
    (
        ("callers", 0, "token"),
        {"keystore": {"file": "a", "password": {"env": "P"}}},
        "callers[0].token.keystore: unknown key; use one of: env, file",
    ),
    (
        ("callers", 0, "budgets"),
        [5],
        "callers[0].budgets[0]: not text; name a budget, in quotes",
    ),
    (
        ("callers", 0, "token"),
        {"env": None},
        "callers[0].token.env: has no value; name an environment variable",
    ),
    (
        ("callers", 0, "budgets"),
        ["dya"],
        "callers[0].budgets[0]: there is no budget 'dya'; did you mean \"day\"?",
    ),
]


@pytest.mark.parametrize(("steps", "written", "message"), [*WALLETS, *CHAINS, *BUDGETS, *CALLERS])
def test_one_mistake(steps: Steps, written: object, message: str) -> None:
    """A wrong entry is refused with its path, what is wrong, and the fix."""
    found = mistakes_in(changed(*steps, to=written))

    assert message in found
