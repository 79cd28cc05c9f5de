"""Whether a folder of shards is whole: a run notes in it what it is, and that it has ended."""

import json
from pathlib import Path

RECORD = ".run.json"
"""Settings of the run, their hash, and the number of shards once all are there. Hidden, so that no reader takes it."""


class UnfinishedError(ValueError):
    """A folder with a part of what it will hold: the message says which."""


def check_ended(folder: str | Path) -> None:
    """Refuse a folder that a run has not filled yet; any other folder is let through.

    Raises
    ------
    UnfinishedError
        Shards are missing.
    """
    record = Path(folder, RECORD)
    if not record.is_file():
        return
    try:
        count = json.loads(record.read_text())["shards"]
    except (KeyError, TypeError, ValueError) as error:
        raise UnfinishedError(f"{record} cannot be read as the record of a run: {error}") from error
    there = len(list(Path(folder).glob("part-*.parquet")))
    if count is None or there < count:
        raise UnfinishedError(
            f"{folder} is not whole: {there} shards of {count or 'a run that has not ended'}; "
            "the command that fills it goes on when it is typed again"
        )
