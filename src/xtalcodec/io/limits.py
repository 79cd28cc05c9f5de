"""Limits that hold for every format."""

MAX_SITES = 5000
"""Sites in one crystal; a larger one is refused, because it was hardly meant for a codec of unit cells."""
MAX_BYTES = 1 << 29
"""Bytes of one file after decompression: a guard against archives that unpack without end."""
MAX_MEMBERS = 1_000_000
"""Members of one archive."""
