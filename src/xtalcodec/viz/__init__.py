"""Pictures: figures for print, pages to turn crystals in."""
