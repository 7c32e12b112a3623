"""A seller on the official x402 v1 SDK: its middleware in front of the goods."""

from __future__ import annotations

import goods
from x402.fastapi.middleware import require_payment

FOR_SALE = ["/v1/paid-models", "/v1/chat/completions"]


def main() -> None:
    """Serve until stopped."""
    options = goods.arguments(__doc__ or "").parse_args()
    app = goods.build()
    charge = require_payment(
        path=FOR_SALE,
        price=f"${options.price}",
        pay_to_address=options.pay_to,
        network="base-sepolia",
        description="One call of the test seller",
        facilitator_config={"url": options.facilitator},
    )
    app.middleware("http")(charge)
    goods.serve(app, options)


if __name__ == "__main__":
    main()
