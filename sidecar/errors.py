"""The faults of the sidecar, and what each one means to the app that met it.

    SidecarError
    +- ConfigError           the config is wrong: its path and the fix; before any port is opened
    +- LocalProtocolError    we were about to build something illegal: a bug
    +- RemoteProtocolError   the other side sent something illegal
    +- UpstreamError         could not connect, read or write; or it took too long
    +- WalletError           cannot sign
    |  +- WalletBusyError    not before an earlier authorization has settled or expired
    |  +- SignerAwayError    whoever keeps the key does not answer
    |  +- SignerRefusedError whoever keeps the key does not sign this, by a rule of its own
    +- LedgerError           cannot write: no ledger, no payment; unpaid traffic still flows

Expected refusals (a budget, a policy) are values, not exceptions: see ``policy.Denied``.
"""


class SidecarError(Exception):
    """A fault with a sentence for people and an HTTP status for the app."""

    status_hint = 500

    def diagnostics(self) -> str:
        """The sentence that a person reads: what is wrong, where, and what to do."""
        return str(self)


class ConfigError(SidecarError):
    """The config cannot be used; carries one line for every mistake found."""

    def __init__(self, *mistakes: str) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class LocalProtocolError(SidecarError):
    """The sidecar was about to send something that HTTP or x402 does not allow."""


class RemoteProtocolError(SidecarError):
    """The other side sent something that HTTP, JSON-RPC or x402 does not allow."""

    status_hint = 502


class UpstreamError(SidecarError):
    """The upstream could not be reached, or went away."""

    status_hint = 502


class UpstreamTimeoutError(UpstreamError):
    """The upstream took longer than the route allows."""

    status_hint = 504


class WalletError(SidecarError):
    """The wallet cannot sign: a key that is missing, unreadable or not a key."""


class WalletBusyError(WalletError):
    """The wallet can sign, and must not before what it signed last has settled or expired."""

    status_hint = 503


class SignerAwayError(WalletError):
    """The signer that keeps the key does not answer, or cannot write what it signs for down."""

    status_hint = 503


class SignerRefusedError(WalletError):
    """The signer that keeps the key has a rule against this, and has signed nothing for it."""

    status_hint = 402


class LedgerError(SidecarError):
    """The ledger cannot be read or written. Nothing is signed while this lasts."""

    status_hint = 503
