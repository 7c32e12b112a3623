"""The fast lane and the ordinary way: the same bytes in, the same outcome."""
