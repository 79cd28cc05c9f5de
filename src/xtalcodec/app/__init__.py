"""A page in the browser for people who would rather look than type: a thin face over the library."""
