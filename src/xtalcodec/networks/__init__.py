"""Networks: one file each, configuration and loss beside it."""
