"""Complete: what may be where sites of a crystal are missing."""

from collections.abc import Mapping

from nicegui import ui

from xtalcodec.app.controls import Text, button, card, tag, typed
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.drawn import Complete
from xtalcodec.app.links import sites_of, word_of_sites
from xtalcodec.app.pages.crystal_card import CrystalCard
from xtalcodec.app.pages.frame import page
from xtalcodec.app.pages.offer_choice import OfferChoice
from xtalcodec.app.pages.strip import Strip
from xtalcodec.priors.asked import composition_of

LEAD = (
    "Take sites out of a crystal, or say what is missing. Known sites stay where they are, and a flow draws what "
    "may be in the place of the others; the surest ways come first."
)
WITHOUT = (
    "This server has no flow, so nothing can be completed. Train one with `xtalcodec train-prior`, and start the page "
    "with `xtalcodec app --prior FOLDER`."
)
MOST = 32
KEYS = {
    "surest": lambda item: item["doubt"],
    "confidence": lambda item: -item["row"].confidence,
    "valid first": lambda item: (not item["row"].valid, -item["row"].confidence),
    "most often drawn": lambda item: (-item["drawn"], -item["row"].confidence),
    "sites added": lambda item: (-item["added"], -item["row"].confidence),
}


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
    with page("/complete", LEAD, settings) as desk:
        if not any(offer.flow for offer in settings.offers.values()):
            desk.messages()
            desk.say(WITHOUT, "note")
            return
        await Page(desk, words).open(crystal)


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk, words: Mapping[str, str]) -> None:
        """Lay it out."""
        self.desk = desk
        self.flow = OfferChoice({name: offer for name, offer in desk.settings.offers.items() if offer.flow}, words)
        self.words = {"add": "", "number": "8", "seed": "0"} | {
            key: words[key] for key in ("add", "number", "seed") if key in words
        }
        self.gone = words.get("gone", "")
        with tag("div", kind="columns"):
            self.card = CrystalCard(desk, "Taken out", self.take)
            with card("What is drawn", "input"):
                with tag("div", kind="line"):
                    self.flow.show()
                    typed(self.words, "add", "Add: 4, or Li4; else what was taken out", placeholder="as taken out")
                    typed(self.words, "number", "Draws", type="number", min=1, max=MOST)
                    typed(self.words, "seed", "Seed", inputmode="numeric")
                    button("Complete", self.go, "first")
                desk.messages()
                desk.working()
                self.told = Text("")
        self.strip = Strip(KEYS)

    async def take(self) -> None:
        """Put the crystal into the address."""
        self.desk.remember("/complete", crystal=self.card.crystal)

    async def open(self, word: str | None) -> None:
        """Begin with the crystal of a link, and with what is taken out of it there."""
        crystal = self.desk.linked(word)
        if crystal is None:
            return
        await ui.context.client.connected()
        self.card.show(crystal, sites_of(self.gone, crystal))
        if self.card.chosen or self.words["add"]:
            await self.go()

    async def go(self) -> None:
        """Complete it."""
        self.desk.hush()
        asked = self._asked()
        if asked is None:
            return
        self.strip.clear()
        self.told.set("")
        self.desk.remember(
            "/complete",
            crystal=asked.crystal,
            gone=word_of_sites(asked.gone),
            add=self.words["add"] or None,
            number=asked.count,
            seed=asked.seed,
            prior=self.flow.word,
        )
        done = await self.desk.do(asked, what="Completing")
        if done is None:
            return
        for item in done["ways"]:
            notes = [("valid", "good")] if item["row"].valid else [(item["row"].reason, "bad")]
            short = item["added"] != item["asked"]
            notes.append((f"{item['added']} of {item['asked']} new sites", "bad" if short else "soft"))
            notes.append((f"drawn {item['drawn']} of {asked.count} times", "soft"))
            self.strip.add(item | {"notes": notes})
        kept = len(asked.crystal) - len(asked.gone)
        ways = f"{asked.count} draws, ways that differ: {len(done['ways'])}"
        self.told.set(f"{ways}; {kept} sites are kept, new ones are ringed")

    def _asked(self) -> Complete | None:
        """What was chosen and typed, as a task; what is wrong with it is said."""
        if self.card.crystal is None:
            self.desk.say("Choose a crystal first")
            return None
        add, gone = self.words["add"], self.card.chosen
        if not gone and not add:
            self.desk.say("Choose sites to take out, or say what to add, as in 4 or Li4")
            return None
        try:
            added = None if not add else int(add) if add.isdecimal() else composition_of(add)
        except ValueError as error:
            self.desk.say(str(error))
            return None
        try:
            count, seed = int(self.words["number"]), int(self.words["seed"])
        except ValueError:
            self.desk.say("Ways and seed are whole numbers")
            return None
        if not 1 <= count <= MOST or seed < 0:
            self.desk.say(f"The number of draws is 1 to {MOST}, and the seed is not negative")
            return None
        return Complete(self.card.crystal, gone, added, count, seed, self.flow.source)
