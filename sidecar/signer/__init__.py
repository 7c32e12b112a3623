"""The signer: one key in a process of its own, behind a Unix socket, with rules of its own.

    sidecar signer --socket PATH --rules FILE         (or python -m sidecar.signer)

The proxy's config names it by its socket: ``key: {signer: PATH}``.

A proxy that has been taken over can ask, and gets what these rules allow and no more: it is told
what to sign, makes the bytes itself, and looks at asset, network, payee, amount, validity and
its own windows before it does. It has no network and no HTTP.

    rules      what may be signed: a JSON file that only the signer's user can change
    key        where the key is kept
    requests   what is asked, from JSON to values
    books      what was signed: each authorization once, and two windows
    journal    the same on disk, before the signature exists
    signer     a request to an answer: the order of the checks
    door       the socket: who may ask, and for how long
    hardening  no core file, no debugger, no environment
    line       the other end, in the proxy

Give it a user of its own, and name the proxy's as ``peer_user``: whoever has the same user can
read the key's file and remove the journal, and no check in here can help that.
"""
