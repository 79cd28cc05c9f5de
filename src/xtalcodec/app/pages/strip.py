"""Results as a strip of small pictures; the chosen ones are shown large, side by side."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from nicegui import ui

from xtalcodec.app.controls import CrystalsView, Thumbnail, button, choice, tag
from xtalcodec.app.views import files_of

TOGETHER = 3
"""Crystals shown large at a time."""


class Strip:
    """Crystals to look through."""

    def __init__(self, keys: dict[str, Callable[[dict[str, Any]], Any]]) -> None:
        """Lay it out; `keys` are what it can be sorted by: a name and a function of an item, the least of it first."""
        self.items: list[dict[str, Any]] = []
        self.chosen: list[dict[str, Any]] = []
        self.keys, self.key = keys, next(iter(keys))
        with tag("section", kind="card result", aria_label="Results") as self.whole:
            with tag("div", kind="line"):
                if len(keys) > 1:
                    names = [(key, key) for key in keys]
                    choice("Sorted by", names, lambda key: self.sort(key) if key in keys else None, self.key)
                button("Download all as CIF", lambda: self.give(self.items), "first")
                button("Download those shown large", lambda: self.give(self.chosen))
            self.pictures = tag("div", kind="strip", role="group", aria_label="Crystals; choose up to three")
            self.view = CrystalsView()
        self.whole.set_visibility(False)

    def clear(self) -> None:
        """Begin anew."""
        self.items, self.chosen = [], []
        self.pictures.clear()
        self.view.show({})
        self.whole.set_visibility(False)

    def add(self, item: dict[str, Any]) -> None:
        """Add {row, view, elements, note} where it belongs."""
        place = bisect_right(self.items, self.keys[self.key](item), key=self.keys[self.key])
        self.items.insert(place, item)
        self.whole.set_visibility(True)
        with self.pictures:
            self._picture(item)
        item["button"].move(self.pictures, place)
        if item["view"]["crystal"] and not self.chosen:
            self.toggle(item)

    def sort(self, key: str) -> None:
        """Sort by one of the keys."""
        self.key = key
        self.items.sort(key=self.keys[key])
        self.pictures.clear()
        with self.pictures:
            for item in self.items:
                self._picture(item)
                self._mark(item)

    def _picture(self, item: dict[str, Any]) -> None:
        view, row = item["view"], item["row"]
        item["button"] = made = button("", lambda: self.toggle(item))
        with made:
            if view["crystal"] is None:
                tag("span", "no atoms", "blank")
                tag("b", view["title"])
            else:
                Thumbnail(view, item["elements"], f"{row.crystal.formula}, {view['group']}")
                tag("b", row.crystal.formula)
                tag("small", f"{view['title']} · {view['group']} · confidence {row.confidence:.2f}")
            for text, kind in item["notes"]:
                tag("small", text, kind)
        self._mark(item)

    def _mark(self, item: dict[str, Any]) -> None:
        item["button"].props["aria-pressed"] = "true" if item in self.chosen else "false"
        item["button"].update()

    def toggle(self, item: dict[str, Any]) -> None:
        """Show a crystal large, or no more; the one that was chosen first leaves."""
        if item in self.chosen:
            self.chosen.remove(item)
        else:
            self.chosen = [*self.chosen, item][-TOGETHER:]
        for one in self.items:
            self._mark(one)
        elements: dict[str, Any] = {}
        for one in self.chosen:
            elements |= one["elements"]
        self.view.show({"elements": elements, "views": [one["view"] for one in self.chosen]})

    def give(self, items: list[dict[str, Any]]) -> None:
        """Give crystals away."""
        crystals = [item["row"].crystal for item in items if item["row"].crystal]
        if crystals:
            name, data = files_of(crystals)
            ui.download.content(data, name)
