"""How good a codec is."""
