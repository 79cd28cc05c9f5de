"""Native elements of a page, each with its name for those who hear it: small words for what all pages need."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nicegui import ui

from xtalcodec.geometry.elements import cell_in_table, symbol

ASSETS = Path(__file__).parent / "assets"
LAST = 118
"""Atomic number of the last element."""


class CrystalsView(ui.element, component=ASSETS / "crystals_view.js"):
    """Crystals side by side, or along a path."""

    def show(self, shown: dict[str, Any]) -> None:
        """Draw what a task returned."""
        self.props["shown"] = shown
        self.update()

    def ring(self, sites: Iterable[int]) -> None:
        """Ring sites; the view stays as it was turned."""
        self.run_method("mark", sorted(sites))


class MapView(ui.element, component=ASSETS / "map.js"):
    """A map of crystals, which tells what is chosen, selected and coloured."""

    def show(self, shown: dict[str, Any], chosen: int, colour: str) -> None:
        """Draw a map.

        Parameters
        ----------
        shown
            As `map_page.map_data` returns it.
        chosen
            Place of the crystal that is marked; -1 for none.
        colour
            Name of the column that colours it; empty for the first.
        """
        self.props.update({"start": {"chosen": chosen, "colour": colour}, "shown": shown})
        self.update()

    def choose(self, place: int) -> None:
        """Choose a crystal."""
        self.run_method("choose", place)


class Sites(ui.element, component=ASSETS / "sites.js"):
    """Sites of a crystal, with boxes to tick."""

    def __init__(
        self,
        label: str,
        rows: Sequence[tuple[str, str]],
        start: Sequence[int],
        on_change: Callable[[Any], Any],
    ) -> None:
        """List them.

        Parameters
        ----------
        label
            What the list is.
        rows
            Name and place of each site.
        start
            Those that are ticked at first.
        on_change
            Called with the number of a site and whether it is ticked, as a browser sends them.
        """
        super().__init__()
        self.props.update({"label": label, "rows": [list(row) for row in rows], "start": list(start)})
        self.on("told", lambda event: on_change(event.args))

    def tick(self, sites: Iterable[int]) -> None:
        """Tick just these."""
        self.run_method("mark", sorted(sites))


class PeriodicTable(ui.element, component=ASSETS / "periodic_table.js"):
    """Elements to choose from, each in its place."""

    def __init__(
        self, label: str, known: Iterable[int], start: Iterable[str], on_change: Callable[[list[str]], Any]
    ) -> None:
        """Draw it.

        Parameters
        ----------
        label
            What elements are chosen for.
        known
            Atomic numbers of those that can be chosen.
        start
            Symbols of those that are chosen at first.
        on_change
            Called with the symbols of those that are.
        """
        super().__init__()
        may = {symbol(z) for z in known}
        self.props.update({"label": label, "cells": cells(may), "start": [one for one in start if one in may]})
        self.on("told", lambda event: on_change([one for one in event.args if one in may]))

    def put(self, symbols: Iterable[str]) -> None:
        """Choose just these."""
        self.run_method("put", list(symbols))


def cells(known: Collection[str]) -> list[dict[str, Any]]:
    """Return symbol, name and place of every element, and whether it is among the known ones."""
    from ase.data import atomic_names

    made = []
    for z in range(1, LAST + 1):
        row, column = cell_in_table(z)
        made.append({"symbol": symbol(z), "name": atomic_names[z], "row": row, "column": column})
    return [cell | {"known": cell["symbol"] in known} for cell in made]


class Latent(ui.element, component=ASSETS / "latent.js"):
    """A latent as a picture."""

    def __init__(self, latent: dict[str, Any]) -> None:
        """Draw a table of numbers."""
        super().__init__()
        self.props["latent"] = latent


class Thumbnail(ui.element, component=ASSETS / "thumbnail.js"):
    """A small picture of a crystal."""

    def __init__(self, view: dict[str, Any], elements: dict[str, Any], alt: str) -> None:
        """Draw a view.

        Parameters
        ----------
        view, elements
            As `views.view` and `views.table_of` return them.
        alt
            What is seen.
        """
        super().__init__()
        self.props.update({"view": {"crystal": view["crystal"]}, "elements": elements, "alt": alt})


class Drop(ui.element, component=ASSETS / "drop.js"):
    """A place to drop files on."""

    def __init__(self, label: str, hint: str, address: str, largest: int, most: int) -> None:
        """Say what is taken.

        Parameters
        ----------
        label, hint
            What it says.
        address
            Where files are sent.
        largest
            Bytes of one.
        most
            Files at a time.
        """
        super().__init__()
        self.props.update({"label": label, "hint": hint, "address": address, "largest": largest, "most": most})


def tag(name: str, text: str = "", kind: str = "", **attributes: Any) -> ui.element:
    """Make an element with text, which is never taken as HTML.

    Parameters
    ----------
    name
        Of the element.
    text
        In it.
    kind
        Its classes.
    attributes
        Its others; _ stands for - in their names.
    """
    made = ui.element(name).classes(kind)
    made.props.update({key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()})
    if text:
        with made:
            Text(text)
    return made


class Text(ui.element, component=ASSETS / "text.js"):
    """Text alone."""

    def __init__(self, text: str) -> None:
        """Show it."""
        super().__init__()
        self.props["text"] = text

    def set(self, text: str) -> None:
        """Change it."""
        self.props["text"] = text
        self.update()


@contextmanager
def card(title: str, kind: str = "") -> Any:
    """A part of the page with a heading."""
    with tag("section", kind=f"card {kind}", aria_label=title) as made:
        tag("h2", title)
        yield made


def button(text: str, on_click: Callable[[], Any], kind: str = "") -> ui.element:
    """Make a button.

    Parameters
    ----------
    text
        On it.
    on_click
        What it does.
    kind
        Its classes.
    """
    return tag("button", text, kind, type="button").on("click", on_click, args=[])


class Field(ui.element, component=ASSETS / "field.js"):
    """What can be typed, chosen or ticked, with its name."""

    def __init__(
        self,
        name: str,
        on_change: Callable[[Any], Any],
        start: Any,
        options: Iterable[tuple[str, str]] | None = None,
        **attributes: Any,
    ) -> None:
        """Say what it is.

        Parameters
        ----------
        name
            Beside it.
        on_change
            Called with what it holds.
        start
            What it holds at first.
        options
            Values to choose from, and their texts; None for an input.
        attributes
            Of the input.
        """
        super().__init__()
        chosen = None if options is None else [list(pair) for pair in options]
        self.props.update({"name": name, "start": start, "options": chosen, "attributes": attributes})
        self.on("told", lambda event: on_change(event.args))


def field(name: str, on_change: Callable[[str], Any], value: Any = "", **attributes: Any) -> Field:
    """Make an input with its name.

    Parameters
    ----------
    name
        Above it.
    on_change
        Called with what was typed.
    value
        At first.
    attributes
        Of the input.
    """
    return Field(name, lambda text: on_change(str(text)), value, **{"type": "text", **attributes})


def typed(words: dict[str, str], key: str, name: str, **attributes: Any) -> Field:
    """Make an input that keeps what was typed among words.

    Parameters
    ----------
    words
        What was typed, by key; what it holds at first is there.
    key
        Of this input.
    name
        Above it.
    attributes
        Of the input.
    """
    return field(name, lambda text: words.update({key: text.strip()}), words[key], **attributes)


def choice(name: str, options: Iterable[tuple[str, str]], on_change: Callable[[str], Any], value: str) -> Field:
    """Make a list to choose from.

    Parameters
    ----------
    name
        Above it.
    options
        Values and their texts.
    on_change
        Called with the chosen value.
    value
        At first.
    """
    return Field(name, lambda text: on_change(str(text)), value, options)


def check(name: str, on_change: Callable[[bool], Any], *, value: bool = False) -> Field:
    """Make a box to tick.

    Parameters
    ----------
    name
        Beside it.
    on_change
        Called with whether it is ticked.
    value
        At first.
    """
    return Field(name, lambda ticked: on_change(bool(ticked)), value, type="checkbox")
