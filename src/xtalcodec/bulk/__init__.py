"""Any number of crystals on any number of workers: numbered shards, each whole or not there, and what to do in them."""
