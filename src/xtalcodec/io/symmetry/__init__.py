"""Symmetry as files tell it: operations, settings of space groups, and from rows of a file to all sites."""
