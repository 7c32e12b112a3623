"""x402-sidecar: a local reverse proxy that pays on behalf of any app.

Three ideas hold it together. A payment is a two-phase transfer, and its life is a table
(``ledger.model``). A conversation is a generator, so nothing that describes one can do IO
(``http.Exchange``). Effects go through two ports, ``Upstream`` and ``Ledger``, and chance
through two more, ``Clock`` and ``Entropy``.

The layers, each importing from those below it only:

    cli                                   commands
    service | sandbox                     what runs: the sidecar; a seller to rehearse with
    signer                                a key's own process
    config | proxy | metrics | logs       what it is told, and the edges
    payments                              the money path
    policy | providers | ledger | wallets what it decides with
    x402 | rpc | siwx                     the wire, without IO
    http                                  requests, responses, exchanges
    refusal | tasks                       a "no" as a value; the only maker of tasks
    money | clock | errors | ...          the ground: no layer below it

The walk: ``proxy.handler`` admits a request, finds its route, keeps its body and sends it on.
A 402 becomes a ``Remedy``; ``payments.payer.Payer.pay`` selects, checks, reserves, authorizes,
writes down, presents and posts. The paid answer streams to the app, and only its last byte
marks the payment delivered. ``payments.recovery`` puts right what a crash left open.
"""

__version__ = "0.1.0"
