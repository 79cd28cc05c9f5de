"""Crystals in and out: files of every format, tables of properties, and writing that is whole or not there."""
