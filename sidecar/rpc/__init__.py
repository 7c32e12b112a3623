"""What a chain is asked, as Exchanges over JSON-RPC: ``evm``, ``solana``.

Money waits on these answers, so they are exact or they are a fault: whatever is not one of the
words that the question allows is RemoteProtocolError, never a default.
"""
