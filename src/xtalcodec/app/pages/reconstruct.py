"""Reconstruct: a crystal, what came back, and whether to trust it."""

from functools import partial
from typing import Any

from nicegui import ui

from xtalcodec.app.controls import CrystalsView, Latent, Text, button, card, check, tag
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.pages.crystal_choice import choose
from xtalcodec.app.pages.frame import page
from xtalcodec.app.views import files_of
from xtalcodec.app.work import Reconstruct
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.reconstruction import DISPLACED, Reconstruction

LEAD = (
    "Drop a crystal. It is painted as a density, squeezed into a code of some numbers, and read back from that code "
    "alone. The page shows both, how far apart they are, and how sure the decoder is."
)
SHOWN = 500
"""Rows of the table of sites."""


async def show(settings: Settings, crystal: str | None = None) -> None:
    """Make the page, with a crystal of a link in it."""
    with page("/", LEAD, settings) as desk:
        await Page(desk).open(crystal)


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk) -> None:
        """Lay it out."""
        self.desk, self.refine = desk, True
        self.crystals: list[Crystal] = []
        with card("Your crystals", "input"):
            choose(desk, "Drop crystals here, or click to choose files", self.take)
            desk.messages()
            check("Improve the code where it does not give the crystal back (slower)", self._refining, value=True)
            desk.working()
            self.list = tag("div", kind="list")
        self.result = tag("div", kind="card result", role="region", aria_label="Result")
        with self.result:
            self.title = tag("div", kind="heading", role="status")
            self.view = CrystalsView()
            self.about = tag("div", kind="columns")
        self.result.set_visibility(False)

    async def open(self, word: str | None) -> None:
        """Begin with the crystal of a link."""
        crystal = self.desk.linked(word)
        if crystal is not None:
            await ui.context.client.connected()
            await self.take([crystal])

    def _refining(self, yes: bool) -> None:
        self.refine = yes

    async def take(self, crystals: list[Crystal]) -> None:
        """Add crystals to the list and show the first of them."""
        first = len(self.crystals)
        self.crystals += crystals
        self._rows(first)
        await self.choose(first)

    def _rows(self, chosen: int) -> None:
        """The list of crystals, where there are several."""
        self.list.clear()
        if len(self.crystals) < 2:
            return
        with self.list, tag("div", kind="scroll"), tag("table", aria_label="Crystals"), tag("tbody"):
            for k, crystal in enumerate(self.crystals):
                with tag("tr", aria_selected="true" if k == chosen else "false"):
                    tag("td", crystal.called, "name")
                    tag("td", crystal.formula)
                    tag("td", f"{len(crystal)} sites", "number")
                    with tag("td"):
                        button("Show", partial(self.choose, k)).props.update({"aria-label": f"Show {crystal.name}"})

    async def choose(self, k: int) -> None:
        """Reconstruct one of the list."""
        crystal = self.crystals[k]
        self._rows(k)
        self.about.clear()
        self.desk.remember("/", crystal=crystal)
        done = await self.desk.do(Reconstruct(crystal, self.refine), self._begin, "Encoding and decoding")
        if done is not None:
            self._tell(crystal, done)

    def _begin(self, part: dict[str, Any]) -> None:
        """Show the original while the rest is under way."""
        self.result.set_visibility(True)
        self.title.clear()
        self.view.show(part)

    def _tell(self, crystal: Crystal, done: dict[str, Any]) -> None:
        row = done["row"]
        self.view.show({"elements": done["elements"], "views": done["views"]})
        self.title.clear()
        with self.title:
            tag("h2", crystal.called)
            verdict, good = _verdict(row)
            tag("p", verdict, f"badge {'good' if good else 'bad'}")
        self.about.clear()
        with self.about:
            with card("What came back"):
                _facts(_compared(row))
                self._downloads(row)
            with card("Sites"):
                _sites(done["views"][0], crystal)
            with card("The code"):
                Latent(done["latent"])
                tag("p", f"{row.code_length} numbers in all, with the cell; codec {done['identity']}", "soft")
            if crystal.notes:
                with card("What reading the file assumed"), tag("ul"):
                    for note in crystal.notes:
                        tag("li", note, "note")

    def _downloads(self, row: Reconstruction) -> None:
        """Buttons that give the decoded crystal away."""

        def give(fmt: str) -> None:
            if row.decoded is None:
                return
            name, data = files_of([row.decoded], fmt)
            ui.download.content(data, name)

        if row.decoded is not None:
            formats = {"CIF": "cif", "POSCAR": "poscar", "extended XYZ": "extxyz", "JSON": "json"}
            with tag("div", kind="line"):
                for name, fmt in formats.items():
                    if row.decoded.is_ordered or fmt in ("cif", "json"):
                        button(
                            f"Download {name}" if fmt == "cif" else name,
                            partial(give, fmt),
                            "first" if fmt == "cif" else "",
                        )


def _verdict(row: Reconstruction) -> tuple[str, bool]:
    if row.decoded is None:
        return "Nothing came back", False
    if not row.matched:
        return f"Another crystal came back: {row.reason}", False
    if row.reason:
        return f"It came back with other elements: {row.reason}", False
    if row.displaced:
        return f"It came back, but a site is more than {DISPLACED:g} Å off", False
    return "It came back", True


def _compared(row: Reconstruction) -> list[tuple[str, str, bool]]:
    """What, before and after, and whether it is as it was."""
    decoded = row.decoded
    facts = [("Decoder's confidence (0 to 1)", f"{row.confidence:.2f}", True)]
    if decoded is None:
        return facts
    facts += [
        _pair("Formula", row.original.formula, decoded.formula),
        _pair("Space group (within 0.1 Å)", row.space_group, row.space_group_decoded),
        _pair("Sites", f"{len(row.original)}", f"{len(decoded)}"),
        _pair("Volume", f"{row.original.volume:.2f} Å³", f"{decoded.volume:.2f} Å³"),
    ]
    if row.rms_angstrom is not None and row.largest_angstrom is not None:
        facts.append(("Root mean square displacement", f"{row.rms_angstrom:.4f} Å", True))
        facts.append(("Largest displacement", f"{row.largest_angstrom:.4f} Å", not row.displaced))
    if row.occupancy_error is not None:
        facts.append(("Occupancies off by", f"{row.occupancy_error:.3f}", True))
    return facts


def _pair(name: str, before: str, after: str) -> tuple[str, str, bool]:
    return (name, before, True) if before == after else (name, f"{before} → {after}", False)


def _facts(facts: list[tuple[str, str, bool]]) -> None:
    with tag("dl", kind="facts"):
        for name, value, good in facts:
            with tag("div"):
                tag("dt", name)
                tag("dd", value, "" if good else "bad")


def _sites(view: dict[str, Any], crystal: Crystal) -> None:
    """Sites of the original: where, how far off, how sure."""
    if "sites" not in view:
        Text("There is nothing to compare with.")
        return
    with tag("div", kind="scroll", tabindex=0, role="group", aria_label="Table of sites"), tag("table"):
        with tag("thead"), tag("tr"):
            for name, kind in (("Site", ""), ("x, y, z", ""), ("off, Å", "number"), ("sure", "number")):
                tag("th", name, kind, scope="col")
        with tag("tbody"):
            for k, (site, place) in enumerate(zip(view["sites"], view["crystal"]["sites"], strict=True)):
                if k == SHOWN:
                    break
                with tag("tr"):
                    tag("td", f"{crystal.label(k)} {k + 1}")
                    tag("td", "  ".join(f"{x:.3f}" for x in place))
                    tag("td", f"{site['away']:.4f}", "number" + (" bad" if site["away"] > DISPLACED else ""))
                    tag("td", f"{site['sure']:.2f}", "number")
    if len(view["sites"]) > SHOWN:
        tag("p", f"and {len(view['sites']) - SHOWN} more", "soft")
