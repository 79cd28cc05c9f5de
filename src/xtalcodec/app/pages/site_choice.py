"""Sites of a crystal, chosen by clicking atoms, by ticking a table, or by words."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from xtalcodec.app.controls import CrystalsView, Sites, Text, button, tag, typed
from xtalcodec.app.desk import Desk
from xtalcodec.app.views import table_of
from xtalcodec.crystal import Crystal
from xtalcodec.geometry.symmetry import SYMPREC, space_group
from xtalcodec.latent_space import holes
from xtalcodec.viz.pages.page import crystal_data

SHOWN = 20
"""Sites that are named one by one."""


class SiteChoice:
    """A crystal and the sites of it that are chosen."""

    def __init__(self, desk: Desk, verb: str) -> None:
        """Lay it out, empty.

        Parameters
        ----------
        desk
            Of the page.
        verb
            What becomes of chosen sites, as in "Taken out".
        """
        self.desk, self.verb = desk, verb
        self.crystal: Crystal | None = None
        self.labels: list[str] = []
        self.chosen: set[int] = set()
        self.words = {"region": "", "neighbourhood": ""}
        with tag("div", kind="choice") as self.whole:
            self.view = CrystalsView()
            self.view.on("picked", lambda event: self.toggle(event.args))
            with tag("p", kind="said", role="status"):
                self.said = Text("")
            with tag("div", kind="line"):
                self.species = tag("div", kind="line", role="group", aria_label="All sites of an element")
                button("None", lambda: self.put(()))
            with tag("div", kind="line"):
                self._by("region", "Region, fractions of the cell", "0.2<z<0.5", holes.in_region)
                self._by("neighbourhood", "Around an element, Å", "Ti:2.5", holes.around)
            self.table = tag("div")
        self.whole.set_visibility(False)

    def _by(self, key: str, name: str, example: str, sites: Callable[[Crystal, str], Any]) -> None:
        """A way to choose sites by words."""

        def choose() -> None:
            self.desk.hush()
            try:
                if self.crystal is not None:
                    self.put(self.chosen | set(np.flatnonzero(sites(self.crystal, self.words[key])).tolist()))
            except ValueError as error:  # a CrystalError is one
                self.desk.say(str(error))

        with tag("div", kind="line together"):
            box = typed(self.words, key, name, placeholder=example, size=12)
            box.on("entered", choose, args=[])
            button("Choose", choose).props.update({"aria-label": f"Choose sites by {key}"})

    def show(self, crystal: Crystal, chosen: Iterable[int] = ()) -> None:
        """Show another crystal, and some of its sites as chosen."""
        self.crystal, self.chosen = crystal, set(chosen)
        self.labels = [crystal.label(k) for k in range(len(crystal))]
        self.whole.set_visibility(True)
        title = crystal.called
        group = space_group(crystal, SYMPREC)
        picture = {
            "title": title,
            "crystal": crystal_data(crystal),
            "density": None,
            "group": group,
            "marked": sorted(self.chosen),
        }
        self.view.show({"elements": table_of([crystal]), "views": [picture]})
        self.species.clear()
        with self.species:
            for label in sorted(set(self.labels)):
                button(f"All {label}", partial(self._all, label))
        self.table.clear()
        rows = [
            (f"{self.labels[k]} {k + 1}", "  ".join(f"{x:.3f}" for x in place % 1))
            for k, place in enumerate(crystal.frac_coords)
        ]
        with self.table:
            self.sites = Sites(
                f"Sites; {self.verb.lower()}: those that are ticked", rows, sorted(self.chosen), self._ticked
            )
        self.said.set(self._told())

    def _all(self, label: str) -> None:
        self.put(self.chosen | {k for k, own in enumerate(self.labels) if own == label})

    def _ticked(self, told: Any) -> None:
        """Take what a browser says of a box."""
        if isinstance(told, list) and len(told) == 2 and (told[0] in self.chosen) != bool(told[1]):
            self.toggle(told[0])

    def toggle(self, site: Any) -> None:
        """Choose a site, or no more; a browser may send anything."""
        if self.crystal is not None and isinstance(site, int) and 0 <= site < len(self.labels):
            self.put(self.chosen ^ {site})

    def put(self, sites: Iterable[int]) -> None:
        """Choose just these."""
        if self.crystal is None:
            return
        self.chosen = set(sites)
        self.view.ring(self.chosen)
        self.sites.tick(self.chosen)
        self.said.set(self._told())

    def _told(self) -> str:
        if not self.chosen:
            return f"{self.verb}: nothing. Click atoms, tick sites, or choose by words."
        if len(self.chosen) <= SHOWN:
            which = ", ".join(f"{self.labels[k]} {k + 1}" for k in sorted(self.chosen))
        else:
            kinds = Counter(self.labels[k] for k in self.chosen)
            which = ", ".join(f"{n} {label}" for label, n in sorted(kinds.items()))
        return f"{self.verb}: {len(self.chosen)} of {len(self.labels)} sites: {which}"
