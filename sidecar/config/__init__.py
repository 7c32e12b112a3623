"""The config: YAML in, a frozen tree out, every mistake in one pass with its path and the fix."""
