"""JSON of any length, value by value, in Python's dialect, which knows NaN."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from xtalcodec.io.limits import MAX_BYTES

_PIECE = 1 << 20
"""Characters read at a time."""
_NEAR = 16
"""A mistake this near to the end of what was read may be that end: words have up to nine letters, escapes twelve."""
_BLANK = re.compile(r"[ \t\n\r]*")
_DELIMITER = re.compile(r"[\s,:\]}]")
_value_at = json.JSONDecoder().raw_decode


class JsonText:
    """A JSON text that is taken from its beginning to its end; in memory is one value, no larger than `MAX_BYTES`.

    What is no JSON raises ValueError, which says where.
    """

    def __init__(self, read: Callable[[int], str]) -> None:
        """Take the text from `read`, which gives so many characters at most, and none at the end."""
        self._read = read
        self._text, self._at = "", 0
        self._before = 0
        """Characters of the text before those in memory."""

    def sign(self) -> str:
        """Return the next character that is not blank, without taking it; "" at the end."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr] # it matches nothing at least
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def value(self) -> Any:
        """Take the value that begins here."""
        if self.sign() not in ("{", "[", '"'):  # a number tells its end by what follows
            while not _DELIMITER.search(self._text, self._at) and self._more():
                pass
        while True:
            try:
                found, self._at = _value_at(self._text, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _NEAR
                place = self._before + error.pos
                if not (unfinished and self._more()):
                    raise ValueError(f"{error.msg} (character {place})") from error
            else:
                return found

    def elements(self) -> Iterator[Any]:
        """Take the array that begins here, element by element."""
        self._take("[")
        if self.sign() == "]":
            self._take("]")
            return
        sign = ","
        while sign == ",":
            yield self.value()
            sign = self._take(",", "]")

    def fields(self) -> Iterator[str]:
        """Take the object that begins here, key by key; the value of each is to be taken before the next."""
        self._take("{")
        if self.sign() == "}":
            self._take("}")
            return
        sign = ","
        while sign == ",":
            if self.sign() != '"':
                raise ValueError(f"a key is missing (character {self._before + self._at})")
            key = self.value()
            self._take(":")
            yield key
            sign = self._take(",", "}")

    def end(self) -> None:
        """Raise where anything follows."""
        if self.sign():
            raise ValueError(f"something follows its end (character {self._before + self._at})")

    def _take(self, *signs: str) -> str:
        sign = self.sign()
        if sign not in signs:
            place = f"(character {self._before + self._at})" if sign else "where it ends"
            raise ValueError(f"{' or '.join(signs)} is missing {place}")
        self._at += 1
        return sign

    def _more(self) -> bool:
        """Read on, as much again as waits to be parsed, so that a long value is not begun too often."""
        self._before += self._at
        waiting = self._text[self._at :]
        if len(waiting) > MAX_BYTES:
            raise ValueError(f"one of its values holds more than {MAX_BYTES >> 20} MiB")
        piece = self._read(max(_PIECE, len(waiting)))
        self._text, self._at = waiting + piece, 0
        return bool(piece)
