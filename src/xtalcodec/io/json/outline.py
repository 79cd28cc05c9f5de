"""What a JSON object of any size holds, gone through once: whether its structures can be taken one after the other."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from xtalcodec.io.json.text import JsonText
from xtalcodec.io.records.columns import holders_of, is_structure


@dataclass(frozen=True, slots=True)
class Outline:
    """An object less its values."""

    keys: list[str]
    columns: list[Any] | None
    """Its value `columns`, where that is a list."""
    labels: list[Any] | None
    """Its value `index`, where that is a list with texts in it."""
    rows: bool
    """Whether its value `data` is a list of lists."""
    followed: bool
    """Whether more than this one object is in the text."""

    @property
    def is_table(self) -> bool:
        """Whether it is a table of rows, as pandas writes it with orient="split"."""
        return self._several and self.columns is not None and self.rows

    @property
    def is_map(self) -> bool:
        """Whether each of its values stands for itself."""
        return self._several and not self.is_table and not holders_of(self.keys)

    @property
    def _several(self) -> bool:
        """Whether it is no structure itself; of keys that are there twice, JSON takes the last, so all must be seen."""
        return len(set(self.keys)) == len(self.keys) and not is_structure(dict.fromkeys(self.keys))


def outline_of(text: JsonText) -> Outline:
    """Go through the object that a text begins with.

    Raises
    ------
    ValueError
        No object, or a damaged one.
    """
    keys: list[str] = []
    kept: dict[str, Any] = {}
    rows = False
    for key in text.fields():
        keys.append(key)
        if text.sign() == "[" and key not in ("columns", "index"):
            others = deque((item for item in text.elements() if not isinstance(item, list)), maxlen=1)
            rows |= key == "data" and not others
        else:
            value = text.value()
            if isinstance(value, list):
                kept[key] = value
    labels = kept.get("index")
    named = labels is not None and any(isinstance(label, str) for label in labels)
    return Outline(keys, kept.get("columns"), labels if named else None, rows, bool(text.sign()))
