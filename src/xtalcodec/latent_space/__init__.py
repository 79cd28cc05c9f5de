"""What one does with codes: paths between crystals, altered crystals."""
