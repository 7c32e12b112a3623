"""What a good config becomes, and what wins where it is said twice."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.config.addresses import Address
from sidecar.config.model import (
    CallerConfig,
    ChainConfig,
    Config,
    Limits,
    LogConfig,
    RecoveryConfig,
    RouteConfig,
    SecretKind,
    SecretRef,
    SignerRef,
    SqliteFile,
    WalletConfig,
)
from sidecar.config.read import load_config
from sidecar.config.secrets import secret_refs
from sidecar.errors import ConfigError
from sidecar.ledger.model import Breaker, Budget, Window
from sidecar.money import Usdc
from tests.unit.config.configs import (
    FOLDER,
    GONE,
    KEYED,
    PAYEE,
    SELLER,
    changed,
    mistakes_in,
    parsed,
)

KEY_FILE = SecretRef(SecretKind.FILE, "/etc/sidecar/evm.key")
DAY = Budget("day", Usdc(5_000_000), Window.DAY)


def test_everything() -> None:
    """A config without a mistake becomes a tree of values, its names resolved."""
    text = changed("routes", "seller", to=SELLER | {"pay_to": [PAYEE], "default": True})

    assert Config(
        state_dir=Path("/home/ann/.local/state/sidecar"),
        ledger=SqliteFile(Path("/home/ann/.local/state/sidecar/ledger.db")),
        wallets={"main": WalletConfig("main", "evm", KEY_FILE)},
        chains={"eip155:8453": ChainConfig("eip155:8453", ("https://rpc.example.com",))},
        budgets={"day": DAY},
        callers={
            "aider": CallerConfig(
                "aider", SecretRef(SecretKind.FILE, "/etc/sidecar/aider.token"), (DAY,)
            )
        },
        routes={
            "seller": RouteConfig(
                "seller",
                "pay_per_request",
                "https://api.example.com",
                wallet="main",
                default=True,
                networks=frozenset({"eip155:8453"}),
                max_payment=Usdc(50_000),
                budgets=(DAY,),
                pay_to=frozenset({PAYEE.lower()}),
            ),
            "keyed": RouteConfig(
                "keyed",
                "api_key",
                "https://api.openai.com",
                api_key=SecretRef(SecretKind.ENV, "OPENAI_API_KEY"),
            ),
        },
    ) == parsed(text)


def test_defaults() -> None:
    """What is not said is loopback, a token, and the documented numbers."""
    config = parsed(changed("callers", to=GONE))

    assert (
        Address("127.0.0.1", 8402),
        Address("127.0.0.1", 9402),
        "token",
        (),
        {},
        Limits(16 * 2**20, 256 * 2**20, 64 * 2**10, 2048, 1024, 20, 60, 75, 30),
        RecoveryConfig(15, 600, 3600),
        LogConfig("auto", "info"),
        Breaker(5, timedelta(hours=1)),
    ) == (
        config.listen,
        config.admin,
        config.auth,
        config.hosts,
        config.callers,
        config.limits,
        config.recovery,
        config.log,
        config.routes["seller"].breaker,
    )


@pytest.mark.parametrize(
    ("upstream", "base_url"),
    [
        ("https://API.Example.com/", "https://api.example.com"),
        ("HTTPS://api.example.com:8443/api/v2/", "https://api.example.com:8443/api/v2"),
        ("http://127.0.0.1:4020", "http://127.0.0.1:4020"),
        ("http://localhost:4020", "http://localhost:4020"),
        ("http://[::1]:4020/x", "http://[::1]:4020/x"),
        ("https://a_b.internal./x", "https://a_b.internal./x"),
    ],
)
def test_upstream(upstream: str, base_url: str) -> None:
    """An upstream loses its last slash and the case of its host; http stays on loopback."""
    config = parsed(changed("routes", "seller", "upstream", to=upstream))

    assert base_url == config.routes["seller"].upstream


def test_insecure() -> None:
    """http:// to another machine takes an explicit insecure: true."""
    route = SELLER | {"upstream": "http://box:8000", "insecure": True}

    assert "http://box:8000" == parsed(changed("routes", "box", to=route)).routes["box"].upstream


def test_rpc_with_a_key() -> None:
    """An RPC URL may have a query: vendors put keys there."""
    text = changed("chains", "eip155:8453", "rpc", to=["https://rpc.example.com/?key=a%20b"])

    assert ("https://rpc.example.com/?key=a%20b",) == parsed(text).chains["eip155:8453"].rpc


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/var/lib/sidecar", "/var/lib/sidecar"),
        ("state", "/etc/sidecar/state"),
        ("~/state", "/home/ann/state"),
        ("~", "/home/ann"),
    ],
)
def test_state_dir(written: str, path: str) -> None:
    """A path in the file starts from the file's folder, and ~ is the home folder."""
    assert Path(path) == parsed(changed("state_dir", to=written)).state_dir


def test_state_dir_default() -> None:
    """Without a state_dir it is the XDG state folder; without that or a home, a mistake."""
    text = changed("hosts", to=[])

    assert Path("/xdg/sidecar") == parsed(text, {"XDG_STATE_HOME": "/xdg"}).state_dir
    assert ("state_dir: missing, and there is no HOME to put it in; name a folder",) == mistakes_in(
        text, {"HOME": ""}
    )


def test_ledger_path() -> None:
    """The ledger's name starts from state_dir."""
    text = changed("ledger", to={"sqlite": "books/a.db"})

    read = parsed(text, {"SIDECAR_STATE_DIR": "/s"})

    assert SqliteFile(Path("/s/books/a.db")) == read.ledger


def test_precedence() -> None:
    """A flag wins over a variable, and a variable over the file; an empty variable is none."""
    text = changed("listen", to="127.0.0.1:1")
    environ = {"SIDECAR_LISTEN": "127.0.0.1:2", "SIDECAR_ADMIN": ""}

    assert "127.0.0.1:1" == str(parsed(text).listen)
    assert "127.0.0.1:2" == str(parsed(text, environ).listen)
    assert "[::1]:3" == str(parsed(text, environ, {"listen": "[::1]:3"}).listen)
    assert "127.0.0.1:9402" == str(parsed(text, environ).admin)


def test_every_variable() -> None:
    """Each documented variable reaches its key."""
    environ = {
        "SIDECAR_LISTEN": "0.0.0.0:1",
        "SIDECAR_ADMIN": "0.0.0.0:2",
        "SIDECAR_AUTH": "none",
        "SIDECAR_STATE_DIR": "/s",
        "SIDECAR_LOG_FORMAT": "json",
        "SIDECAR_LOG_LEVEL": "debug",
    }
    config = parsed(changed("log", to={"level": "error"}), environ)

    assert (
        Address("0.0.0.0", 1),
        Address("0.0.0.0", 2),
        "none",
        Path("/s"),
        LogConfig("json", "debug"),
    ) == (config.listen, config.admin, config.auth, config.state_dir, config.log)


@pytest.mark.parametrize(
    ("environ", "overrides", "mistake"),
    [
        (
            {"SIDECAR_LISTEN": "8402"},
            {},
            "SIDECAR_LISTEN: not an address: '8402'; "
            'write it like "127.0.0.1:8402", port 0 to 65535',
        ),
        (
            {},
            {"auth": "no"},
            "--auth: not a choice: 'no'; did you mean \"none\"?",
        ),
        (
            {"SIDECAR_LOG_LEVEL": "loud"},
            {},
            "SIDECAR_LOG_LEVEL: not a choice: 'loud'; use one of: debug, error, info, warning",
        ),
        (
            {"SIDECAR_ADMIN": "127.0.0.1:8402"},
            {},
            "SIDECAR_ADMIN: port 8402 is the port of listen, too; use two ports",
        ),
    ],
)
def test_wrong_outside_the_file(
    environ: dict[str, str], overrides: dict[str, str], mistake: str
) -> None:
    """A mistake in a flag or a variable is reported under its own name."""
    assert (mistake,) == mistakes_in(changed("hosts", to=[]), environ, overrides)


def test_key_from_the_environment() -> None:
    """Where no wallet is configured, EVM_PRIVATE_KEY is the wallet main; else it is ignored."""
    text = changed("wallets", to=GONE)
    environ = {"EVM_PRIVATE_KEY": "0x" + "5e" * 32}

    assert {
        "main": WalletConfig("main", "evm", SecretRef(SecretKind.ENV, "EVM_PRIVATE_KEY"))
    } == parsed(text, environ).wallets
    assert {"main": WalletConfig("main", "evm", KEY_FILE)} == parsed(
        changed("hosts", to=[]), environ
    ).wallets
    assert 1 == len(mistakes_in(text))


def test_solana_key_from_the_environment() -> None:
    """SVM_PRIVATE_KEY is the wallet solana, alone or beside EVM_PRIVATE_KEY's."""
    text = changed("wallets", to=GONE)
    environ = {"EVM_PRIVATE_KEY": "0x" + "5e" * 32, "SVM_PRIVATE_KEY": "5e" * 32}

    solana = WalletConfig("solana", "solana", SecretRef(SecretKind.ENV, "SVM_PRIVATE_KEY"))
    main = WalletConfig("main", "evm", SecretRef(SecretKind.ENV, "EVM_PRIVATE_KEY"))
    assert {"main": main, "solana": solana} == parsed(text, environ).wallets
    assert {"main": WalletConfig("main", "evm", KEY_FILE)} == parsed(
        changed("hosts", to=[]), environ
    ).wallets


def test_solana_wallet() -> None:
    """A wallet of kind solana is kept as one."""
    kept = {"kind": "solana", "key": {"file": "evm.key"}}

    assert (
        WalletConfig("sol", "solana", KEY_FILE)
        == parsed(changed("wallets", "sol", to=kept)).wallets["sol"]
    )


def test_hosts() -> None:
    """Host values are kept in lower case."""
    config = parsed(changed("hosts", to=["Sidecar:8402", "[::1]:8402", "a_b"]))

    assert ("sidecar:8402", "[::1]:8402", "a_b") == config.hosts


def test_hosts_variable() -> None:
    """SIDECAR_HOSTS has commas between its values, and stands in place of the list."""
    environ = {"SIDECAR_HOSTS": "10.0.0.7:9402, Sidecar:8402"}

    assert ("10.0.0.7:9402", "sidecar:8402") == parsed(
        changed("hosts", to=["other:1"]), environ
    ).hosts


def test_hosts_variable_with_mistakes() -> None:
    """A mistake in SIDECAR_HOSTS names the variable and the item."""
    mistakes = mistakes_in(changed("hosts", to=[]), {"SIDECAR_HOSTS": "sidecar:8402,,*"}, {})

    assert (
        'SIDECAR_HOSTS[1]: not text; write it like "sidecar:8402", in quotes',
        "SIDECAR_HOSTS[2]: not a Host value: '*'; write it like \"sidecar:8402\", without patterns",
    ) == mistakes


def test_port_zero() -> None:
    """Both ports may be left to the system."""
    environ = {"SIDECAR_LISTEN": "127.0.0.1:0", "SIDECAR_ADMIN": "127.0.0.1:0"}

    assert 0 == parsed(changed("hosts", to=[]), environ).admin.port


@pytest.mark.parametrize(
    ("listen", "upstream", "count"),
    [
        ("0.0.0.0:1234", "http://127.0.0.1:1234", 1),
        ("10.0.0.1:1234", "https://10.0.0.1:1234", 1),
        ("10.0.0.1:1234", "http://127.0.0.1:1234", 0),
        ("127.0.0.1:443", "https://api.example.com", 0),
    ],
)
def test_loop(listen: str, upstream: str, count: int) -> None:
    """An upstream that is the sidecar itself is a mistake, and another machine's port is none."""
    text = changed("routes", to={"keyed": KEYED | {"upstream": upstream}})
    try:
        parsed(text, {"SIDECAR_LISTEN": listen})
        found = 0
    except ConfigError as fault:
        found = len(fault.mistakes)

    assert count == found


def test_sizes_in_bytes() -> None:
    """A size may be a number of bytes."""
    config = parsed(changed("limits", to={"replay_bytes_max": 0, "header_bytes_max": "8 KiB"}))

    assert (0, 8192) == (config.limits.replay_bytes_max, config.limits.header_bytes_max)


def test_frozen() -> None:
    """What was checked cannot be changed afterwards."""
    config = parsed(changed("hosts", to=[]))

    with pytest.raises(TypeError):
        config.routes["other"] = config.routes["seller"]  # type: ignore[index]


def test_signer() -> None:
    """A key may be kept by a signer, which is named by its socket, and is no secret to open."""
    config = parsed(changed("wallets", "main", "key", to={"signer": "run/signer.sock"}))

    assert SignerRef(FOLDER / "run/signer.sock") == config.wallets["main"].key
    assert "wallets.main.key" == config.wallets["main"].key.path
    assert "evm.key" not in " ".join(ref.where for ref in secret_refs(config))


def test_load(tmp_path: Path) -> None:
    """A file's relative paths start from the folder that the file is in."""
    file = tmp_path / "sidecar.yaml"
    file.write_text(changed("hosts", to=[]))

    key = load_config(file, {"HOME": "/home/ann"}, {}).wallets["main"].key

    assert SecretRef(SecretKind.FILE, str(tmp_path / "evm.key")) == key


def test_a_thousand_of_each() -> None:
    """A thousand routes that pay and a thousand callers with budgets fit into one config."""
    head, callers, _ = changed("version", to=1).partition("callers:\n")
    callers = callers.partition("routes:\n")[0]
    route = """\
  seller-{number}:
    provider: pay_per_request
    upstream: https://api-{number}.example.com/v1
    wallet: main
    networks: ["eip155:8453"]
    max_payment: 0.05 USDC
    budgets: [day]
"""
    caller = "- {{name: app-{number}, token: {{file: app-{number}.token}}, budgets: [day]}}\n"
    many_callers = "".join(caller.format(number=number) for number in range(1_000))
    many_routes = "".join(route.format(number=number) for number in range(1_000))
    config = parsed(f"{head}callers:\n{many_callers}routes:\n{many_routes}")

    assert (1_000, 1_000) == (len(config.callers), len(config.routes))


def test_load_what_is_no_config(tmp_path: Path) -> None:
    """A file that is missing, no file, too large or not UTF-8 is named with its fix."""
    missing, folder, large, binary, pipe = (tmp_path / name for name in "mflbp")
    folder.mkdir()
    large.write_bytes(b"#" * 600_000)
    binary.write_bytes(b"\xff\xfe")
    os.mkfifo(pipe)
    found = []
    for path in (missing, folder, large, binary, pipe):
        with pytest.raises(ConfigError) as caught:
            load_config(path, {}, {})
        found.append(str(caught.value))

    assert [
        f"{missing}: no such file or directory; name a config file that can be read",
        f"{folder}: is a directory; name a config file that can be read",
        f"{large}: over 512 KiB; make it smaller",
        f"{binary}: not UTF-8; save it as UTF-8",
        f"{pipe}: not a file; name the config file",
    ] == found


def test_not_a_mapping() -> None:
    """A document that is no mapping is told how to start."""
    assert ("config: not a mapping; start it with: version: 1",) == mistakes_in("- a\n")


def test_folder_is_absolute() -> None:
    """Every place that a secret is kept in is an absolute path."""
    assert FOLDER.is_absolute()
    key = parsed(changed("hosts", to=[])).wallets["main"].key
    assert isinstance(key, SecretRef)
    assert key.where.startswith("/")
