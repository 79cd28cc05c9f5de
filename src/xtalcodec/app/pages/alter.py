"""Alter: other elements in a crystal, a denser field, or variations by a flow, and what the decoder makes of it."""

from collections.abc import Mapping

from nicegui import ui

from xtalcodec.app.controls import button, card, tag, typed
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.drawn import Vary
from xtalcodec.app.links import sites_of, word_of_sites
from xtalcodec.app.pages.crystal_card import CrystalCard
from xtalcodec.app.pages.frame import page
from xtalcodec.app.pages.offer_choice import OfferChoice
from xtalcodec.app.pages.strip import Strip
from xtalcodec.app.work import Alter

LEAD = (
    "Take a crystal, put other elements in the place of its own, make its density stronger or weaker, or vary it, and "
    "see what crystal the codec knows near that."
)
MOST = 12
"""Crystals at a time."""


async def show(settings: Settings, crystal: str | None, words: Mapping[str, str]) -> None:
    """Make the page, with the crystal of a link in it.

    Parameters
    ----------
    settings
        Of the server.
    crystal
        Word of a link.
    words
        What was typed, by name.
    """
    with page("/alter", LEAD, settings) as desk:
        await Page(desk, words).open(crystal)


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk, words: Mapping[str, str]) -> None:
        """Lay it out."""
        self.desk = desk
        self.words = {"replace": "", "scale": "", "noise": "", "number": "8", "seed": "0"}
        self.words |= {key: words[key] for key in self.words if key in words}
        self.flow = OfferChoice({name: offer for name, offer in desk.settings.offers.items() if offer.flow}, words)
        self.sites = words.get("sites", "")
        with tag("div", kind="columns"):
            self.card = CrystalCard(desk, "Replaced only here", self.take)
            with card("What changes", "input"):
                with tag("div", kind="line"):
                    typed(self.words, "replace", "Elements, old=new", placeholder="Sr=Ba, Ti=Zr")
                    typed(self.words, "scale", "Density ×, several give a series", placeholder="0.8, 0.9, 1.1")
                if self.flow.offers:
                    with tag("div", kind="line"):
                        typed(self.words, "noise", "Vary it by a flow, from 0 to 1", placeholder="0.3")
                        typed(self.words, "number", "Variations", type="number", min=1, max=MOST)
                        typed(self.words, "seed", "Seed", inputmode="numeric")
                        self.flow.show()
                with tag("div", kind="line"):
                    button("Go", self.go, "first")
                desk.messages()
                desk.working()
        self.strip = Strip({"confidence": lambda item: -item["row"].confidence})

    async def take(self) -> None:
        """Alter the crystal, where it is said how."""
        if self.words["replace"] or self.words["scale"] or self.words["noise"]:
            await self.go()
        else:
            self.desk.remember("/alter", crystal=self.card.crystal)

    async def open(self, word: str | None) -> None:
        """Begin with the crystal of a link."""
        crystal = self.desk.linked(word)
        if crystal is not None:
            await ui.context.client.connected()
            self.card.show(crystal, sites_of(self.sites, crystal))
            await self.take()

    async def go(self) -> None:
        """Alter it."""
        self.desk.hush()
        try:
            asked = self._asked()
        except ValueError as error:
            self.desk.say(str(error))
            return
        self.strip.clear()
        told = {key: self.words[key] or None for key in ("replace", "scale", "noise")}
        told |= {key: self.words[key] for key in ("number", "seed") if self.words["noise"]}
        told |= {"prior": self.flow.word if self.words["noise"] else None}
        self.desk.remember("/alter", crystal=asked.crystal, sites=word_of_sites(self.card.chosen), **told)
        done = await self.desk.do(asked, what="Altering")
        if done is None:
            return
        for row, view in zip(done["rows"], done["views"], strict=True):
            notes = [] if row.valid else [(row.reason, "bad")]
            self.strip.add({"row": row, "view": view, "elements": done["elements"], "notes": notes})
        self.strip.sort("confidence")

    def _asked(self) -> Alter | Vary:
        """What was chosen and typed, as a task; raises what is wrong with it."""
        crystal, scale, noise = self.card.crystal, self.words["scale"], self.words["noise"]
        if crystal is None:
            raise ValueError("Choose a crystal first")
        replacements = tuple(part.strip() for part in self.words["replace"].split(",") if part.strip())
        scales = _numbers(scale, "0.9, 1.1")
        if noise and scales:
            raise ValueError("A crystal is varied, or its density multiplied, not both")
        if noise and self.flow.offers:
            (far,) = _numbers(noise, "0.3")[:1] or (0.0,)
            count, seed = _whole(self.words["number"]), _whole(self.words["seed"])
            if not 0 < far <= 1 or not 1 <= count <= MOST:
                raise ValueError(f"A crystal is varied by more than 0 and up to 1, 1 to {MOST} times")
            return Vary(crystal, replacements, self.card.chosen, far, count, seed, self.flow.source)
        if not replacements and not scales:
            raise ValueError("Say what changes: elements, as in Sr=Ba, or a density, as in 0.9")
        if len(scales) > MOST:
            raise ValueError(f"At most {MOST} densities at a time")
        return Alter(crystal, replacements, scales, self.card.chosen)


def _numbers(text: str, example: str) -> tuple[float, ...]:
    """Numbers between commas."""
    try:
        return tuple(float(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise ValueError(f"{text[:60]!r} is no list of numbers: write {example}") from None


def _whole(text: str) -> int:
    """A whole number that is not negative."""
    if not text.isdecimal():
        raise ValueError("Variations and seed are whole numbers")
    return int(text)
