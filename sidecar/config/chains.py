"""Which networks may be asked about, and where."""

from __future__ import annotations

from sidecar.chains import NETWORK_NAMES, V1_NETWORKS
from sidecar.config.fields import Field, show
from sidecar.config.mistakes import closest
from sidecar.config.model import ChainConfig, Finality
from sidecar.config.urls import read_url

RPC_URLS_MAX = 4


def check_network(network: str, field: Field) -> bool:
    """Whether this is the CAIP-2 id of a network that we know; a mistake if it is not."""
    if network in NETWORK_NAMES:
        return True
    # Unquoted, ``8453`` is a number, and people know networks by their names too.
    identifier = V1_NETWORKS.get(network.lower(), f"eip155:{network}")
    fix = (
        f'write "{identifier}"' if identifier in NETWORK_NAMES else closest(network, NETWORK_NAMES)
    )
    field.mistake(f"not a network that we know: {show(network)}", fix)
    return False


def read_chains(field: Field) -> dict[str, ChainConfig]:
    """Every chain by its network."""
    chains: dict[str, ChainConfig] = {}
    for network, entry in field.named():
        is_known = check_network(network, entry)
        section = entry.section(("rpc", "finality", "insecure"))
        insecure = section.at("insecure").flag()
        finality: Finality = section.at("finality").choice(("finalized", "safe"), "finalized")
        rpc = section.at("rpc").required('write it like ["https://rpc.example"]')
        items = rpc.items()
        urls = tuple(
            filter(None, (read_url(item, insecure=insecure, query=True) for item in items))
        )
        if not items and rpc.is_given:
            rpc.mistake("no URLs", "name one, or two that must agree")
        if len(items) > RPC_URLS_MAX:
            rpc.mistake(f"{len(items)} URLs", f"name at most {RPC_URLS_MAX}")
        if len(set(urls)) < len(urls):
            rpc.mistake(
                "one URL is named twice", "name two sources that can be checked against each other"
            )
        if is_known and urls:
            chains[network] = ChainConfig(network, urls, finality, insecure)
    return chains
