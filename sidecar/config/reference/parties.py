"""The rows of wallets, chains, budgets and callers, and of where secrets are kept."""

from __future__ import annotations

from sidecar.chains import NETWORK_NAMES
from sidecar.config.reference.key import (
    NAME,
    Key,
    Kind,
    amount,
    choice,
    entry,
    filled,
    flag,
    kept,
    listed,
    named,
    text,
    url,
)

_USER: Kind = Kind(
    "number or name of a user",
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 2**32 - 2, "not": {"const": 65_534}},
            {"type": "string", "minLength": 1},
        ]
    },
)
_TOKEN_OR_UID = {"oneOf": [{"required": ["token"]}, {"required": ["uid"]}]}
_NO_SOLANA_NONCES = {
    "not": {
        "required": ["kind", "nonces"],
        "properties": {"kind": {"const": "solana"}, "nonces": {"const": "derived"}},
    }
}
_ONE_PLACE = {"minProperties": 1, "maxProperties": 1}

_SECRETS = (
    Key("secret", entry(**_ONE_PLACE), "Where a secret is kept; never the secret itself."),
    Key(
        "secret.file",
        text("file"),
        "A file of one line: mode 0600 or 0400, ours or root's, no link, in a folder that nobody "
        "else may write in. A file of root's may be 0440, as systemd's credentials and Kubernetes "
        "secrets are.",
        example="/run/credentials/sidecar.service/api.key",
    ),
    Key(
        "secret.env",
        text("name of a variable", "^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
        "A variable; it is taken out of the environment once it is read.",
        example="OPENAI_API_KEY",
    ),
    Key("key", entry(**_ONE_PLACE), "Where a wallet's key is kept."),
    Key("key.file", text("file"), "As above.", example="evm.key"),
    Key(
        "key.env",
        text("name of a variable", "^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
        "As above. Without any wallet, `EVM_PRIVATE_KEY` is the wallet `main` and "
        "`SVM_PRIVATE_KEY` the wallet `solana`.",
        example="EVM_KEY",
    ),
    Key("key.keystore", entry(), "A keystore of version 3, as `wallet new --keystore` writes it."),
    Key("key.keystore.file", text("file"), "The keystore.", required=True, example="spare.json"),
    Key(
        "key.keystore.password",
        kept("secret", "secret"),
        "Its password.",
        required=True,
        example={"env": "SPARE_PASSWORD"},
    ),
    Key(
        "key.signer",
        text("path of a socket"),
        "A signer of its own, which keeps the key and has rules: see signer.example.yaml.",
        example="/run/x402/signer.sock",
    ),
)

_PARTIES = (
    Key("wallets", named({"pattern": NAME}, "wallets by name"), "Keys that can pay."),
    Key("wallets.*", entry(**_NO_SOLANA_NONCES), "A wallet."),
    Key(
        "wallets.*.kind",
        choice("evm", "solana"),
        "Which chains it pays on.",
        required=True,
        example="evm",
    ),
    Key(
        "wallets.*.key",
        kept("key", "key"),
        "Where its key is kept.",
        required=True,
        example={"file": "evm.key"},
    ),
    Key(
        "wallets.*.nonces",
        choice("random", "derived"),
        "`derived`, on EVM: of the key and the purchase, for an `Idempotency-Key` or a top-up. "
        "Sidecars with this key whose ledgers have parted then sign for one transfer, not two.",
        default="random",
    ),
    Key(
        "chains",
        named({"enum": sorted(NETWORK_NAMES)}, "chains by CAIP-2 network"),
        "Where to ask what became of a payment. Without it nothing in doubt can be voided.",
    ),
    Key("chains.*", entry(), "A chain."),
    Key(
        "chains.*.rpc",
        filled("list of 1 to 4 URLs", maxItems=4, uniqueItems=True),
        "JSON-RPC endpoints; several have to agree.",
        required=True,
        example=["https://mainnet.base.org"],
    ),
    Key("chains.*.rpc[]", url(query=True), "An endpoint.", example="https://mainnet.base.org"),
    Key(
        "chains.*.finality",
        choice("finalized", "safe"),
        "`safe` is sooner, and a reorganised chain can undo it.",
        default="finalized",
    ),
    Key(
        "chains.*.insecure",
        flag(),
        "Allow `http://` to another machine.",
        default=False,
    ),
    Key("budgets", listed("list of budgets"), "Pots that routes and callers draw from."),
    Key("budgets[]", entry(), "A budget."),
    Key("budgets[].name", text("name", NAME), "Its name.", required=True, example="day"),
    Key(
        "budgets[].limit",
        amount(zero=True),
        "What may be spent in one window.",
        required=True,
        example="5.00 USDC",
    ),
    Key(
        "budgets[].window",
        choice("1h", "1d", "30d", "total"),
        "When it starts again: fixed times in UTC, counted from the epoch.",
        required=True,
        example="1d",
    ),
    Key(
        "callers",
        listed("list of callers"),
        "The local apps. Without any, one token is made in `caller.token` of `state_dir`.",
    ),
    Key("callers[]", entry(**_TOKEN_OR_UID), "An app."),
    Key("callers[].name", text("name", NAME), "Its name.", required=True, example="aider"),
    Key(
        "callers[].token",
        kept("secret", "secret"),
        "What it sends as its API key; on a TCP port.",
        example={"file": "aider.token"},
    ),
    Key("callers[].uid", _USER, "The user that it runs as; on a Unix socket.", example=1000),
    Key(
        "callers[].budgets",
        listed("list of budgets' names", uniqueItems=True),
        "What it draws from, beside its route's budgets.",
        default=[],
    ),
    Key("callers[].budgets[]", text("name of a budget"), "A budget.", example="aider-day"),
)

PARTIES = (*_SECRETS, *_PARTIES)
