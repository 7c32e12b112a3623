"""The vendors' rules, one file each, strangers to one another: see ``base`` for what one is."""
