"""Records of any source, rows of tables and entries of JSON, as crystals."""
