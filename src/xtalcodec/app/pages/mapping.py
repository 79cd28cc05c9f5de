"""Map: the vectors of a data set in a plane, its crystals on a click."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from nicegui import ui

from xtalcodec.app.controls import CrystalsView, MapView, Text, button, card, choice, tag
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.links import prototypes
from xtalcodec.app.mapped import Map
from xtalcodec.app.pages.frame import page
from xtalcodec.app.views import files_of, table_of, view
from xtalcodec.crystal import Crystal
from xtalcodec.embedding.embedding import Of
from xtalcodec.geometry.symmetry import SYMPREC, space_group
from xtalcodec.latent_space.map import Method
from xtalcodec.viz.chemiscope import chemiscope_bytes
from xtalcodec.viz.crystal_map import CrystalMap
from xtalcodec.viz.pages.map_page import map_data

LEAD = (
    "Every crystal becomes one vector, and the vectors are laid out in a plane: near points are like crystals. Colour "
    "them by what is known of them, click one to see it with those most alike, and take home what you select."
)
MOST = 5000
"""Crystals of the files of one drop."""
OF = {"crystal": "crystals, by elements and structure", "structure": "structures alone, whatever the elements"}
METHODS = {"pca": "principal components", "umap": "UMAP, neighbours stay together"}


async def show(settings: Settings, words: Mapping[str, str]) -> None:
    """Make the page; where the link names the prototypes, draw them.

    Parameters
    ----------
    settings
        Of the server.
    words
        What was chosen, by name.
    """
    with page("/map", LEAD, settings) as desk:
        made = Page(desk, words)
        if words.get("data") == "prototypes":
            await ui.context.client.connected()
            await made.go()


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk, words: Mapping[str, str]) -> None:
        """Lay it out."""
        self.desk = desk
        self.methods = {key: name for key, name in METHODS.items() if key != "umap" or find_spec("umap")}
        self.of: Of = "structure" if words.get("of") == "structure" else "crystal"
        self.method: Method = "umap" if words.get("layout") == "umap" and "umap" in self.methods else "pca"
        self.colour, self.crystal = words.get("colour", ""), words.get("crystal", "")
        self.data: Sequence[Crystal] | None = None  # the prototypes
        self.drawn: CrystalMap | None = None
        self.selected: list[int] = []
        with card("The crystals", "input"):
            desk.drop("Drop a data set here, or click to choose a file", self.take, MOST)
            with tag("div", kind="line"):
                choice("Vectors of", OF.items(), lambda of: self._put("of", of, OF), self.of)
                if len(self.methods) > 1:
                    choice("Laid out by", self.methods.items(), lambda k: self._put("method", k, METHODS), self.method)
                button("Draw the prototypes", self.prototypes, "first")
                self.again = button("Draw again", self.go)
            desk.messages()
            desk.working()
        self.again.set_visibility(False)
        self.result = tag("section", kind="mapped", aria_label="Map")
        with self.result:
            self._lay_out_result()
        self.result.set_visibility(False)

    def _lay_out_result(self) -> None:
        with tag("div", kind="card"):
            self.map = MapView()
            self.map.on("chosen", lambda event: self.choose(event.args))
            self.map.on("selected", lambda event: self.select(event.args))
            self.map.on("coloured", lambda event: self.coloured(event.args))
            with tag("div", kind="line"):
                button("Download selected as CIF", self.give, "first")
                button("Download for chemiscope", self.give_map)
        with tag("div", kind="card", role="region", aria_label="Chosen crystal", aria_live="polite"):
            self.title = tag("h2", "Click a crystal on the map")
            self.view = CrystalsView()
            self.about = tag("div", kind="about")

    def _put(self, name: str, value: str, known: Mapping[str, str]) -> None:
        if value in known:  # a browser may send anything
            setattr(self, name, value)

    async def take(self, crystals: list[Crystal]) -> None:
        """Draw the crystals of a file."""
        self.data = crystals
        await self.go()

    async def prototypes(self) -> None:
        """Draw the prototypes."""
        self.desk.hush()
        self.data = None
        await self.go()

    async def go(self) -> None:
        """Draw."""
        crystals = [*prototypes().values()] if self.data is None else self.data
        done = await self.desk.do(Map(crystals, self.of, self.method), what="Embedding")
        if done is None:
            return
        if without := done["without"]:
            name, why = without[0]
            also = f" and {len(without) - 1} more are" if len(without) > 1 else " is"
            self.desk.say(f"{name}{also} not on the map: {why}", "note")
        drawn = self.drawn = done["map"]
        self.selected = []
        names = [entry.name for entry in drawn.entries]
        chosen = names.index(self.crystal) if self.crystal in names else -1
        self.result.set_visibility(True)
        self.again.set_visibility(True)
        self.map.show(map_data(drawn), chosen, self.colour)
        if chosen >= 0:
            self.choose(chosen)
        self._remember()

    def _remember(self) -> None:
        """Only the prototypes fit into an address: a data set is too large."""
        if self.data is not None:
            self.desk.remember("/map")
            return
        own = {"colour": self.colour or None, "crystal": self.crystal or None}
        self.desk.remember("/map", data="prototypes", of=self.of, layout=self.method, **own)

    def coloured(self, name: Any) -> None:
        """Remember what the map is coloured by."""
        if self.drawn and name in [column.name for column in self.drawn.columns]:
            self.colour = name
            self._remember()

    def _places(self, told: Any) -> list[int]:
        """Places of crystals among what a browser sends."""
        most = len(self.drawn.entries) if self.drawn else 0
        return [k for k in told if isinstance(k, int) and 0 <= k < most] if isinstance(told, list) else []

    def select(self, told: Any) -> None:
        """Take what is selected."""
        self.selected = self._places(told)

    def choose(self, told: Any) -> None:
        """Show a crystal and those that are most alike."""
        places = self._places([told])
        if not places or self.drawn is None:
            return
        place, drawn = places[0], self.drawn
        entry = drawn.entries[place]
        if entry.crystal is None:
            return
        self.crystal = entry.name
        self._remember()
        self.title.clear()
        with self.title:
            Text(entry.name)
        picture = view(entry.crystal, "", space_group(entry.crystal, SYMPREC))
        self.view.show({"elements": table_of([entry.crystal]), "views": [picture]})
        self.about.clear()
        with self.about:
            with tag("dl", kind="facts"):
                for column in drawn.columns:
                    with tag("div"):
                        tag("dt", column.label)
                        tag("dd", column.text(place) or "not known")
            tag("h3", "Most alike")
            with tag("ul", kind="alike"):
                for other, likeness in zip(drawn.alike[place], drawn.likeness[place], strict=True):
                    self._neighbour(int(other), float(likeness))

    def _neighbour(self, place: int, likeness: float) -> None:
        entry = self.drawn.entries[place]  # type: ignore[union-attr]
        with tag("li"), button("", partial(self.map.choose, place)):
            tag("b", entry.formula)
            tag("span", entry.name, "name")
            tag("span", f"{likeness:.3f}")

    def give(self) -> None:
        """Give the selected crystals away."""
        self.desk.hush()
        held = [self.drawn.entries[k].crystal for k in self.selected] if self.drawn else []
        crystals = [crystal for crystal in held if crystal is not None]
        if not crystals:
            self.desk.say("Select crystals first: by the lasso, by words, or by a category of the legend")
            return
        name, data = files_of(crystals)
        ui.download.content(data, name)

    def give_map(self) -> None:
        """Give the map away for chemiscope."""
        if self.drawn is not None:
            notes = f"{OF[self.of]}; laid out by {METHODS[self.method]}"
            ui.download.content(chemiscope_bytes(self.drawn, "Map of crystals", notes), "map.json.gz")
