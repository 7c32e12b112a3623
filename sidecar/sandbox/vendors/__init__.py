"""The vendors that the sandbox plays, each under a path prefix of the sandbox's own port.

    /venice      venice      a signed-in wallet with a prepaid balance; or API keys
    /nodit       nodit       sign-in for a JWT, prepaid credit; and pay-per-use
    /x402layer   x402layer   credit for each endpoint
    /libertai    libertai    a price for each request

How a vendor is mounted:

    premises     Premises: the chain, the clock and the rest, which every vendor is given; and the
                 Vendor protocol: ``name`` (also its prefix), ``routes()``, ``books``
    market       Market: makes all vendors, and gives the server their routes. What it makes is
                 ``sandbox.vendors``, so a test reads ``sandbox.vendors.venice.account(address)``
    options      what can be chosen about them: ``SandboxOptions.vendors``
    office       the endpoints under /sandbox/vendors: books, misdeeds, balances
    accounts     VendorBooks, Account: balances, and everything that was counted
    conduct      misbehaviour on demand
    tender       a payment header, read strictly; rails: judges and settles it, on either chain
    till         takes a payment for credit, at most once, and misbehaves as told
    siwx         sign-in texts, parsed; siwx_proof: their time and signature; sign_in: one vendor's
                 rules and the nonces it has seen
    answers      responses, goods, refusals that are written down; tokens: JWTs

A vendor's class takes the premises alone, and reads its own options from
``premises.options.vendors``. Nothing here is imported from the sidecar's own wallets, siwx, x402
or providers, so that a misunderstanding there does not agree with itself.

This package's ``__init__`` imports nothing: the sandbox's options import the vendors' options.
"""
