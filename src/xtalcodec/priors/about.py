"""What a prior's folder says of it: the one file that every kind of prior has."""

import json
from pathlib import Path
from typing import Any

from xtalcodec.io.atomic import settle

ABOUT = "prior.json"
"""File of a prior's folder that says what it is of."""


class PriorError(ValueError):
    """A prior that cannot do what is asked of it: the message says why, and what would do."""


def read_about(folder: Path, form: str | None = None) -> dict[str, Any]:
    """Read what a prior says of itself.

    Parameters
    ----------
    folder
        Of the prior; a save that was cut short is finished first.
    form
        Its format; None for any.

    Raises
    ------
    PriorError
        A folder without a prior, with one that is broken, or of another format.
    """
    try:
        settle(folder)
        values = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError) as error:
        raise PriorError(f"{folder} holds no prior that can be read: {error}") from error
    if not isinstance(values, dict):
        raise PriorError(f"{folder} holds no prior that can be read: {ABOUT} holds no facts by name")
    if form is not None and values.get("format") != form:
        raise PriorError(
            f"{folder} holds no prior that can be read: its format is {values.get('format')!r}, not {form!r}"
        )
    return values
