"""Alter: other elements in a crystal, or a denser field, and what the decoder makes of it."""

from nicegui import ui

from xtalcodec.app.controls import button, card, tag, typed
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.pages.crystal_card import CrystalCard
from xtalcodec.app.pages.frame import page
from xtalcodec.app.pages.strip import Strip
from xtalcodec.app.work import Alter

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
        self.desk, self.words = desk, {"replace": replace, "scale": scale}
        with tag("div", kind="columns"):
            self.card = CrystalCard(desk, "Replaced only here", self.take)
            with card("What changes", "input"):
                with tag("div", kind="line"):
                    typed(self.words, "replace", "Elements, old=new", placeholder="Sr=Ba, Ti=Zr")
                    typed(self.words, "scale", "Density ×, several give a series", placeholder="0.8, 0.9, 1.1")
                    button("Go", self.go, "first")
                desk.messages()
                desk.working()
        self.strip = Strip({"confidence": lambda item: -item["row"].confidence})

    async def take(self) -> None:
        """Alter the crystal, where it is said how."""
        if self.words["replace"] or self.words["scale"]:
            await self.go()
        else:
            self.desk.remember("/alter", crystal=self.card.crystal)

    async def open(self, word: str | None) -> None:
        """Begin with the crystal of a link."""
        crystal = self.desk.linked(word)
        if crystal is not None:
            await ui.context.client.connected()
            self.card.show(crystal)
            await self.take()

    async def go(self) -> None:
        """Alter it."""
        self.desk.hush()
        crystal, replace, scale = self.card.crystal, self.words["replace"], self.words["scale"]
        if crystal is None:
            self.desk.say("Choose a crystal first")
            return
        replacements = tuple(part.strip() for part in replace.split(",") if part.strip())
        try:
            scales = tuple(float(part) for part in scale.replace(";", ",").split(",") if part.strip())
        except ValueError:
            self.desk.say(f"{scale[:60]!r} is no list of numbers: write 0.9, 1.1")
            return
        if not replacements and not scales:
            self.desk.say("Say what changes: elements, as in Sr=Ba, or a density, as in 0.9")
            return
        if len(scales) > MOST_SCALES:
            self.desk.say(f"At most {MOST_SCALES} densities at a time")
            return
        self.strip.clear()
        self.desk.remember("/alter", crystal=crystal, replace=replace or None, scale=scale or None)
        done = await self.desk.do(Alter(crystal, replacements, scales, self.card.chosen), what="Altering")
        if done is None:
            return
        for row, view in zip(done["rows"], done["views"], strict=True):
            notes = [] if row.valid else [(row.reason, "bad")]
            self.strip.add({"row": row, "view": view, "elements": done["elements"], "notes": notes})
        self.strip.sort("confidence")
