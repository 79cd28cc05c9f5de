"""CIF: text into blocks, rows into sites, sites into a crystal, and all that the file says compared with it."""
