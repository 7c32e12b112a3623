"""All the vendors of one sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from sidecar.sandbox.vendors.conduct import Conduct
from sidecar.sandbox.vendors.libertai import Libertai
from sidecar.sandbox.vendors.nodit import Nodit
from sidecar.sandbox.vendors.office import VendorOffice
from sidecar.sandbox.vendors.premises import Premises, Vendor
from sidecar.sandbox.vendors.venice import Venice
from sidecar.sandbox.vendors.x402layer import X402Layer


class Market:
    """The vendors, each as itself, and their routes."""

    def __init__(self, premises: Premises) -> None:
        self.conduct: Conduct = premises.conduct
        self.venice = Venice(premises)
        self.nodit = Nodit(premises)
        self.x402layer = X402Layer(premises)
        self.libertai = Libertai(premises)
        self.all: tuple[Vendor, ...] = (self.venice, self.nodit, self.x402layer, self.libertai)

    def routes(self) -> Iterable[web.RouteDef]:
        """The routes of all vendors, and of their office."""
        vendors = [route for vendor in self.all for route in vendor.routes()]
        return [*vendors, *VendorOffice(self.all, self.conduct).routes()]

    def at(self, path: str) -> Vendor | None:
        """The vendor that a path belongs to."""
        first = path.split("/", 2)[1]
        return next((vendor for vendor in self.all if vendor.name == first), None)
