"""The x402 wire protocol, without IO: reading what a seller asks, writing what we answer."""
