"""One vector per crystal: what surrounds its sites, and the networks that turn it into vectors to compare."""
