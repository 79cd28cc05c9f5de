"""Damage to text files, as files are damaged."""

from collections.abc import Callable

import numpy as np


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage a text file in one or two of the ways that files are damaged."""
    for _ in range(int(rng.integers(1, 3))):
        damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
        data = damage(data, rng) if data else data
    return data


def _flip_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True)
    start = int(rng.integers(len(lines)))
    return b"".join(lines[:start] + lines[start + int(rng.integers(1, 4)) :])


def _truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _repeat_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True)
    start = int(rng.integers(len(lines)))
    end = start + int(rng.integers(1, 4))
    return b"".join(lines[:end] + lines[start:])


def _swap_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True)
    i, j = (int(k) for k in rng.integers(len(lines), size=2))
    lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def _replace_word(data: bytes, rng: np.random.Generator) -> bytes:
    """Blow a number up, or put what is no number in the place of a word."""
    words = data.split(b" ")
    k = int(rng.integers(len(words)))
    choices = (words[k] + b"e30", b"9" * 20, b"-" + words[k], b"nan", b"inf", b"-inf", b"?", b".", b"", b"'", b"\0")
    words[k] = choices[int(rng.integers(len(choices)))]
    return b" ".join(words)


_DAMAGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _flip_bytes,
    _cut_lines,
    _truncate,
    _repeat_lines,
    _swap_lines,
    _replace_word,
    _replace_word,
)
