"""The pages of the commands that serve, set up or tell how it is."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.cli.manual import ADMIN, ADMIN_TOKEN, CONFIG, LEDGER, NAMED_CONFIG, STATE, Page

CALLER_TOKEN = ("STATE_DIR/caller.token", "what apps show as their API key, made at first start")
_OVERRIDES = (
    NAMED_CONFIG,
    STATE,
    ("SIDECAR_LISTEN, SIDECAR_ADMIN, SIDECAR_MODE ...", "in place of what the config says"),
)

PAGES: Mapping[str, Page] = {
    "init": Page(
        "Asks a few questions and writes a config, and where it is wanted a new key, that the "
        "sidecar starts with. Every question has a flag that answers it, and nothing that is "
        "there already is replaced.",
        (
            ("sidecar init", "answer the questions"),
            ("sidecar init --provider sandbox --yes", "a config for the rehearsal seller"),
        ),
        (0, 2, 6),
        ("check", "doctor", "run"),
        (CONFIG,),
    ),
    "run": Page(
        "Serves apps on the data port, and health, metrics and the status page on the admin port, "
        "until SIGTERM or SIGINT. Then it signs nothing new, lets requests in flight end, and "
        "exits with 0. With a command behind --, it starts that once it serves, with "
        "OPENAI_BASE_URL and the like set to itself and a token of its own, prints what the run "
        "cost, and ends with the command's own status.",
        (
            ("sidecar run", "serve, by ./sidecar.yaml"),
            ("sidecar run --workers 4", "serve with four processes, on one port"),
            ("sidecar run --mode shadow", "apply every rule to live traffic and sign nothing"),
            ('sidecar run --budget "0.50 USDC" -- python app.py', "for as long as that runs"),
        ),
        (0, 2, 6, 7),
        ("check", "status", "demo"),
        (CONFIG, LEDGER, CALLER_TOKEN, ADMIN_TOKEN),
        (
            *_OVERRIDES,
            ("EVM_PRIVATE_KEY, SVM_PRIVATE_KEY", "the wallet's key, where no wallet is configured"),
            ("HTTPS_PROXY, NO_PROXY", "how https upstreams are reached"),
        ),
    ),
    "check": Page(
        "Reads the config and opens its secrets, as `run` would, and shows what it means, or "
        "every mistake at once, each with its place and the fix. Nothing is made, and nobody is "
        "asked but signers.",
        (
            ("sidecar check", "what the config means"),
            ("sidecar check --config other.yaml --json", "for a program: valid, or its mistakes"),
        ),
        (0, 2, 6),
        ("doctor", "schema"),
        (CONFIG,),
        _OVERRIDES,
    ),
    "schema": Page(
        "Writes the JSON Schema of the config, by which editors complete and check it. A config "
        "names it in its first line: # yaml-language-server: $schema=PATH.",
        (
            ("sidecar schema", "the schema, on stdout"),
            ("sidecar schema --path", "where it is in this installation"),
        ),
        (0, 2),
        ("check",),
    ),
    "status": Page(
        "Shows what the running sidecar says of itself: its state, routes, budgets, balances, "
        "what is in doubt, what waits for approval, the newest payments and refusals.",
        (
            ("sidecar status", "look once"),
            ("sidecar status --watch", "go on looking, until Ctrl-C"),
            ("sidecar status --admin 127.0.0.1:9402 --json", "of one that is named"),
        ),
        (0, 2, 5, 7),
        ("explain", "doctor"),
        (CONFIG,),
        (NAMED_CONFIG, ADMIN),
    ),
    "health": Page(
        "Asks whether the running sidecar answers, and says nothing where it does: for a "
        "container's health check. A frozen sidecar is healthy; /readyz says whether it could pay.",
        (("sidecar health", "exit status 0, or 7 with the reason"),),
        (0, 2, 7),
        ("status",),
        (CONFIG,),
        (NAMED_CONFIG, ADMIN),
    ),
    "reload": Page(
        "Lets the running sidecar read its config again: all of it holds from then on, or, where "
        "anything in it is wrong, nothing changes and every mistake is told. Requests go on. The "
        "files of tokens and API keys are read again, too; what is spent of budgets stays spent. "
        "Where it listens, wallets, the ledger, and a few more need a restart, and it says so. "
        "SIGHUP does the same.",
        (
            ("sidecar reload", "by the config that it was started with"),
            ("sidecar reload --json", "for a program: what changed, or the errors"),
        ),
        (0, 2, 5, 7),
        ("check", "run"),
        (CONFIG, ADMIN_TOKEN),
        (NAMED_CONFIG, STATE, ADMIN),
    ),
    "wallet": Page(
        "Makes a key, writes one to a file, or shows an address. No key is ever shown.",
        (
            ("sidecar wallet new --out evm.key", "a new key for EVM chains"),
            ("sidecar wallet address", "of every wallet in the config"),
        ),
        (0, 2, 6),
        ("balance", "init"),
    ),
    "wallet new": Page(
        "Makes a key, writes it to a file that only you can read, and shows its address. A file "
        "that is there is never replaced: a key that is overwritten is money that is gone.",
        (
            ("sidecar wallet new --out evm.key", "for EVM chains, such as Base"),
            (
                "sidecar wallet new --kind solana --keystore --out sol.json",
                "for Solana, encrypted with a password that is asked for",
            ),
        ),
        (0, 2, 6),
        ("wallet import", "wallet address"),
    ),
    "wallet import": Page(
        "Writes a key that you have to a file that only you can read, and shows its address. "
        "The key comes from a file, from a pipe, or is typed without being seen.",
        (
            (
                "sidecar wallet import --from-file old.key --out evm.key",
                "a copy, with the mode 0600",
            ),
        ),
        (0, 2, 6),
        ("wallet new", "wallet address"),
    ),
    "wallet address": Page(
        "Shows the address of each wallet in the config, or of the key in a file.",
        (
            ("sidecar wallet address", "of every wallet in the config"),
            ("sidecar wallet address --key-file evm.key", "of one key"),
        ),
        (0, 2, 6),
        ("balance",),
        (CONFIG,),
        (NAMED_CONFIG,),
    ),
    "signer": Page(
        "Keeps a wallet's key in a process of its own, which has no network, and signs what its "
        "own rules and windows allow. A wallet with key: {signer: SOCKET} uses it. Start it "
        "before the sidecar, as another user.",
        (
            (
                "sidecar signer --socket /run/x402/signer.sock --rules signer-rules.json",
                "sign for whoever may reach the socket",
            ),
        ),
        (0, 2, 6, 7),
        ("run", "check"),
    ),
    "sandbox": Page(
        "Runs a seller to rehearse with: plain x402, and the four vendors, with chains of their "
        "own and play money. It checks what it is sent as strictly as the strictest facilitator, "
        "and misbehaves when it is told to. Its first lines say how.",
        (
            ("sidecar sandbox", "on 127.0.0.1:4020, for a cent a call"),
            ('sidecar sandbox --price "0.25 USDC" --version 1', "dearer, and in x402 v1"),
        ),
        (0, 2),
        ("demo", "init"),
    ),
    "demo": Page(
        "Starts a sandbox seller and a sidecar in front of it, pays for two calls of the stock "
        "OpenAI client, and shows what a budget refuses: on one screen, and without money.",
        (("sidecar demo", "the whole job"),),
        (0, 2, 5),
        ("init", "sandbox"),
    ),
}
