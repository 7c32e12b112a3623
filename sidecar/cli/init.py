"""``sidecar init``: a config, a key and a token, from a few answers.

Nothing that is there is replaced, nothing is written before the last answer, and no key is shown.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from importlib.resources import files
from pathlib import Path

from sidecar.chains import NETWORK_NAMES, V1_NETWORKS, caip2
from sidecar.cli.check import check
from sidecar.cli.config_file import NAME
from sidecar.cli.interview import Interview, Question, tell
from sidecar.cli.new_key import NewKey, ask_new_key, refuse_existing
from sidecar.cli.starter import PUBLIC_RPC, SANDBOX, STARTERS, Answers, Starter, config_text
from sidecar.clock import SystemEntropy
from sidecar.config.mistakes import closest
from sidecar.config.read import parse_config
from sidecar.config.secrets import CALLER_TOKEN_FILE, ensure_token
from sidecar.errors import ConfigError
from sidecar.money import ZERO, Usdc


def init(args: argparse.Namespace) -> int:
    """0 when all was written, and ``sidecar check`` finds nothing wrong with it."""
    out = Path(args.out or NAME)
    refuse_existing(out, "--out", "name another")
    folder = out.absolute().parent
    entropy = SystemEntropy()
    interview = Interview(args.yes, sys.stdin.isatty() and sys.stderr.isatty())
    starter, upstream, network = _ask_where(interview, args)
    key = ask_new_key(interview, args, (starter, network, folder), entropy)
    answers = _ask_money(interview, args, (starter, upstream, network, _written(key.path, folder)))
    text = config_text(answers, str(files("sidecar.config") / "schema.json"))
    # Before anything is written: what the reader does not take is not left behind.
    config = parse_config(text, os.environ, {}, folder)
    key.write()
    _write_new(out, text)
    token = config.state_dir / CALLER_TOKEN_FILE
    ensure_token(token, entropy)
    check(argparse.Namespace(config=str(out), json=False))
    print("", *_next_steps(answers, key, out, token), sep="\n")
    return 0


def _ask_where(interview: Interview, args: argparse.Namespace) -> tuple[Starter, str, str]:
    """What is begun with, its upstream, and the network; "" where nothing is paid."""
    if args.provider is None and interview.on_terminal and not interview.takes_usual:
        for name, each in STARTERS.items():
            tell(f"  {name:16} {each.what}")
    starter = interview.ask(Question("provider", "Provider", SANDBOX), args.provider, _read_starter)
    upstream = args.upstream or starter.upstream
    if not upstream:
        url = Question("upstream", "URL of the seller")
        upstream = interview.ask(url, None, _read_url)
    if not starter.networks:
        for name in ("network", "rpc", "budget", "max_payment"):
            if getattr(args, name) is not None:
                flag = name.replace("_", "-")
                raise ConfigError(f"--{flag}: nothing is paid where there is an API key; leave it")
        return starter, upstream, ""
    names = [_short(network) for network in starter.networks]
    question = Question("network", f"Network ({', '.join(names)})", names[0])
    given = args.network or (names[0] if len(names) == 1 else None)
    return starter, upstream, interview.ask(question, given, lambda text: _network(text, starter))


def _read_starter(text: str) -> Starter:
    if text not in STARTERS:
        raise ValueError(f"there is no provider {text!r}; {closest(text, STARTERS)}")
    return STARTERS[text]


def _read_url(text: str) -> str:
    # The config's reader says what else may be wrong with it; this is what people leave out.
    if not text.startswith(("https://", "http://")):
        raise ValueError("write it like https://api.example.com")
    return text


def _short(network: str) -> str:
    """What people call it, where x402 has a name for it."""
    return next((name for name, each in V1_NETWORKS.items() if each == network), network)


def _network(text: str, starter: Starter) -> str:
    network = caip2(text.lower()) or caip2(text)
    if network not in starter.networks:
        names = ", ".join(_short(each) for each in starter.networks)
        raise ValueError(f"{text!r} is not paid on here; use {names}")
    return network


def _ask_money(
    interview: Interview, args: argparse.Namespace, place: tuple[Starter, str, str, str]
) -> Answers:
    starter, upstream, network, key_file = place
    if not starter.networks:
        return Answers(starter, upstream, key_file)
    least = starter.credit_min or ZERO
    budget = interview.ask(
        Question("budget", "Budget for a day", str(starter.budget)),
        args.budget,
        lambda text: _amount(text, least),
    )
    what = "one payment" if starter.credit_min is None else "one purchase of credit"

    def most(text: str) -> Usdc:
        amount = _amount(text, least)
        if amount > budget:
            raise ValueError(f"{amount} is over the day's budget of {budget}; write less")
        return amount

    usual = min(starter.max_payment, budget)
    max_payment = interview.ask(
        Question("max-payment", f"At most for {what}", str(usual)), args.max_payment, most
    )
    rpc = f"{upstream}/rpc" if starter.route == SANDBOX else PUBLIC_RPC.get(network, "")
    return Answers(starter, upstream, key_file, network, args.rpc or rpc, budget, max_payment)


def _amount(text: str, least: Usdc) -> Usdc:
    # The question says the unit, so a person need not.
    amount = Usdc.parse(text if text.endswith(" USDC") else f"{text} USDC")
    if amount < least:
        raise ValueError(f"credit is sold from {least} on; write more")
    if amount.atomic == 0:
        raise ValueError("nothing can be paid with 0.00 USDC; write more")
    return amount


def _written(key: Path, folder: Path) -> str:
    """The key's file as it stands in the config, whose relative paths start from its folder."""
    path = key.absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as fault:
        reason = (fault.strerror or "not writable").lower()
        raise ConfigError(f"--out: {path}: {reason}; name a file that can be made") from fault


def _next_steps(answers: Answers, key: NewKey, out: Path, token: Path) -> list[str]:
    config = "" if str(out) == NAME else f" --config {shlex.quote(str(out))}"
    steps = []
    if answers.starter.route == SANDBOX:
        steps.append("sidecar sandbox        (in another terminal: it sells for play money)")
    elif key.address:
        network = NETWORK_NAMES[answers.network]
        steps += [
            f"send USDC on {network} to {key.address}; {answers.budget} is a day's budget "
            "(nothing for fees: whoever is paid sends the transaction)",
            f"sidecar balance{config}        (is it there?)",
        ]
    steps += [
        f"sidecar run{config} -- python your_app.py",
        f"or for any number of apps: sidecar run{config}, and in theirs",
        "     export OPENAI_BASE_URL=http://127.0.0.1:8402/v1",
        f"     export OPENAI_API_KEY=$(cat {shlex.quote(str(token))})",
    ]
    return ["next:", *(f"  {step}" for step in steps)]
