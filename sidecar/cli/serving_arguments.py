"""The commands that serve, set up or tell how it is, as they are typed."""

from __future__ import annotations

import argparse

from sidecar.cli.arguments import Commands, add_command, add_config, add_json, add_overrides


def add_run(commands: Commands) -> None:
    parser = add_command(commands, "run", "serve until told to stop, or until a command has ended")
    parser.usage = "sidecar run [FLAG ...] [-- CMD [WORD ...]]"
    add_config(parser)
    add_overrides(parser)
    parser.add_argument(
        "--budget", metavar="AMOUNT", help='with CMD: what this run may cost, like "1.00 USDC"'
    )
    parser.add_argument(
        "--receipt", metavar="FILE", help="with CMD: where to write what it cost, as JSON"
    )
    # All the rest, with its dashes: what belongs to the command is nobody else's flag.
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="-- CMD",
        help="run this, with OPENAI_BASE_URL, ANTHROPIC_BASE_URL and keys set, and end with it",
    )


def add_init(commands: Commands) -> None:
    parser = add_command(commands, "init", "write a config, a key and a token, from a few answers")
    parser.add_argument(
        "--provider",
        metavar="NAME",
        help="sandbox|venice|nodit|x402layer|libertai|pay_per_request|api_key",
    )
    parser.add_argument("--upstream", metavar="URL", help="of the seller, where it is not known")
    parser.add_argument("--network", metavar="CAIP-2", help="what is paid on, like eip155:8453")
    parser.add_argument("--rpc", metavar="URL", help="where that network is asked")
    parser.add_argument("--key", metavar="new|import|use", help="of the wallet, or the API key")
    parser.add_argument("--key-file", metavar="FILE", help="where the key is, or is to be")
    parser.add_argument("--budget", metavar="AMOUNT", help='for a day, like "5.00 USDC"')
    parser.add_argument("--max-payment", metavar="AMOUNT", help="for one payment")
    parser.add_argument("--out", metavar="FILE", help="default: sidecar.yaml; never replaced")
    parser.add_argument("--yes", action="store_true", help="ask nothing: what is usual will do")


def add_check(commands: Commands) -> None:
    parser = add_command(commands, "check", "show what a config means, or every mistake in it")
    add_config(parser)
    add_overrides(parser)
    add_json(parser)


def add_status(commands: Commands) -> None:
    parser = add_command(commands, "status", "ask the running sidecar how it is")
    add_config(parser)
    parser.add_argument("--admin", metavar="HOST:PORT", help="its admin address")
    parser.add_argument("--watch", action="store_true", help="go on, and show what changes")
    add_json(parser)


def add_health(commands: Commands) -> None:
    parser = add_command(commands, "health", "ask whether the running sidecar answers")
    add_config(parser)
    parser.add_argument("--admin", metavar="HOST:PORT", help="its admin address")


def add_reload(commands: Commands) -> None:
    parser = add_command(commands, "reload", "let the running sidecar read its config again")
    add_config(parser)
    parser.add_argument("--admin", metavar="HOST:PORT", help="the running sidecar's admin address")
    parser.add_argument("--state-dir", metavar="DIR", help="where its admin.token is")
    add_json(parser)


def add_wallet(commands: Commands) -> None:
    actions = add_command(commands, "wallet", "make, import or look at a key").add_subparsers(
        dest="action", required=True, metavar="new|import|address"
    )
    new = add_command(actions, "new", "make a key, write it to a file, and show its address")
    imported = add_command(actions, "import", "write a key to a file, and show its address")
    imported.add_argument(
        "--from-file", metavar="FILE", help="the key; without it, stdin is read, unseen"
    )
    for parser in (new, imported):
        parser.add_argument("--out", required=True, metavar="FILE", help="0600, never replaced")
        parser.add_argument("--keystore", action="store_true", help="encrypt it with a password")
    address = add_command(actions, "address", "show the address of each wallet, or of a key file")
    source = address.add_mutually_exclusive_group()
    add_config(source)
    source.add_argument("--key-file", metavar="FILE", help="of one key, whatever the config says")
    address.add_argument("--keystore", action="store_true", help="the key file is a keystore")
    for parser in (new, imported, address):
        parser.add_argument(
            "--kind", choices=("evm", "solana"), default="evm", help="of the key; default: evm"
        )
        parser.add_argument("--password-file", metavar="FILE", help="without it, it is asked for")
        add_json(parser)


def add_signer(commands: Commands) -> None:
    parser = add_command(
        commands, "signer", "keep a wallet's key in a process of its own, with rules"
    )
    parser.add_argument("--socket", required=True, metavar="PATH", help="where to listen")
    parser.add_argument("--rules", required=True, metavar="FILE", help="what may be signed: JSON")


def add_sandbox(commands: Commands) -> None:
    parser = add_command(commands, "sandbox", "run a seller to rehearse with; no real money")
    parser.add_argument(
        "--listen", default="127.0.0.1:4020", metavar="HOST:PORT", help="default: 127.0.0.1:4020"
    )
    parser.add_argument("--price", default="0.01 USDC", metavar="AMOUNT", help="of one call")
    parser.add_argument(
        "--version", type=int, choices=(1, 2), default=2, dest="x402_version", help="of x402"
    )


def add_demo(commands: Commands) -> None:
    add_command(commands, "demo", "a seller, the sidecar and paid calls on one screen; no money")


def add_schema(commands: Commands) -> None:
    parser = add_command(commands, "schema", "write the config's JSON Schema, for editors")
    parser.add_argument("--path", action="store_true", help="only say where it is installed")
