"""Alter: other elements in a crystal, or a denser field, and what the decoder makes of it."""

from nicegui import ui

from xtalcodec.app.controls import Text, button, card, field, tag
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.pages.crystal_choice import choose
from xtalcodec.app.pages.frame import page
from xtalcodec.app.pages.site_choice import SiteChoice
from xtalcodec.app.pages.strip import Strip
from xtalcodec.app.work import Alter
from xtalcodec.crystal import Crystal

LEAD = (
    "Take a crystal, put other elements in the place of its own, or make its density stronger or weaker, and see what "
    "crystal the codec knows near that."
)
MOST_SCALES = 12


async def show(settings: Settings, crystal: str | None, replace: str, scale: str) -> None:
    """Make the page, with the crystal of a link in it.

    Parameters
    ----------
    settings
        Of the server.
    crystal
        Word of a link.
    replace, scale
        As typed.
    """
    with page("/alter", LEAD, settings) as desk:
        await Page(desk, replace, scale).open(crystal)


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk, replace: str, scale: str) -> None:
        """Lay it out."""
        self.desk, self.replace, self.scale = desk, replace, scale
        self.crystal: Crystal | None = None
        with tag("div", kind="columns"):
            with card("The crystal"):
                self.said = Text("No crystal yet.")
                choose(desk, "Drop a crystal here, or click to choose a file", self.take)
                self.sites = SiteChoice(desk, "Replaced only here")
            with card("What changes", "input"):
                with tag("div", kind="line"):
                    field(
                        "Elements, old=new",
                        lambda text: setattr(self, "replace", text),
                        replace,
                        placeholder="Sr=Ba, Ti=Zr",
                    )
                    field(
                        "Density ×, several give a series",
                        lambda text: setattr(self, "scale", text),
                        scale,
                        placeholder="0.8, 0.9, 1.1",
                    )
                    button("Go", self.go, "first")
                desk.messages()
                desk.working()
        self.strip = Strip({"confidence": lambda item: -item["row"].confidence})

    async def take(self, crystals: list[Crystal]) -> None:
        """Take the first of crystals."""
        self.crystal = crystals[0]
        elements = sorted(set(self.crystal.symbols))
        self.said.set(
            f"{self.crystal.name}: {self.crystal.formula}, {len(self.crystal)} sites of {', '.join(elements)}"
        )
        self.sites.show(self.crystal)
        if self.replace or self.scale:
            await self.go()
        else:
            self.desk.remember("/alter", crystal=self.crystal)

    async def open(self, word: str | None) -> None:
        """Begin with the crystal of a link."""
        crystal = self.desk.linked(word)
        if crystal is not None:
            await ui.context.client.connected()
            await self.take([crystal])

    async def go(self) -> None:
        """Alter it."""
        self.desk.hush()
        if self.crystal is None:
            self.desk.say("Choose a crystal first")
            return
        replacements = tuple(part.strip() for part in self.replace.split(",") if part.strip())
        try:
            scales = tuple(float(part) for part in self.scale.replace(";", ",").split(",") if part.strip())
        except ValueError:
            self.desk.say(f"{self.scale[:60]!r} is no list of numbers: write 0.9, 1.1")
            return
        if not replacements and not scales:
            self.desk.say("Say what changes: elements, as in Sr=Ba, or a density, as in 0.9")
            return
        if len(scales) > MOST_SCALES:
            self.desk.say(f"At most {MOST_SCALES} densities at a time")
            return
        self.strip.clear()
        self.desk.remember("/alter", crystal=self.crystal, replace=self.replace or None, scale=self.scale or None)
        done = await self.desk.do(Alter(self.crystal, replacements, scales, tuple(self.sites.chosen)), what="Altering")
        if done is None:
            return
        for row, view in zip(done["rows"], done["views"], strict=True):
            notes = [] if row.valid else [(row.reason, "bad")]
            self.strip.add({"row": row, "view": view, "elements": done["elements"], "notes": notes})
        self.strip.sort("confidence")
