"""Sample: crystals that nobody asked for, or that are as asked, drawn from what codes of known crystals look like."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from xtalcodec.app.controls import Text, button, card, tag, typed
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.drawn import Sample
from xtalcodec.app.links import prototypes
from xtalcodec.app.pages.conditions import ConditionsForm
from xtalcodec.app.pages.frame import page
from xtalcodec.app.pages.offer_choice import OfferChoice
from xtalcodec.app.pages.strip import Strip
from xtalcodec.crystal import Crystal
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.conditions import Conditions

LEAD = (
    "Codes are drawn from what was learned of the codes of known crystals, and decoded. Every sample is shown, with "
    "what is wrong with it."
)
PLAIN = (
    "A normal distribution draws few good crystals and cannot be asked for anything. A flow can: elements, "
    "composition, sites, symmetry, properties. Train one with `xtalcodec train-prior`, and start the page with "
    "`xtalcodec app --prior FOLDER`."
)
MOST = 64
MOST_KNOWN = 5000
"""Crystals of the files of one drop that samples are compared with."""
PROTOTYPES_KNOWN = "Samples are new that are none of the AFLOW prototypes. Compare with crystals of yours …"
KEYS = {
    "order drawn": lambda item: item["place"],
    "confidence": lambda item: -item["row"].confidence,
    "valid first": lambda item: (not item["row"].valid, -item["row"].confidence),
    "space group": lambda item: (item["row"].space_group == "", item["row"].space_group),
    "formula": lambda item: item["row"].crystal.formula if item["row"].crystal else "~",
    "sites": lambda item: -len(item["row"].crystal) if item["row"].crystal else 0,
}
START = {"number": "8", "seed": "0", "temperature": "0.7"}


async def show(settings: Settings, words: Mapping[str, str]) -> None:
    """Make the page; with a number in the link, begin.

    Parameters
    ----------
    settings
        Of the server.
    words
        What was typed, by name.
    """
    with page("/sample", LEAD, settings) as desk:
        made = Page(desk, words)
        if "number" in words:
            await ui.context.client.connected()
            await made.go()


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk, words: Mapping[str, str]) -> None:
        """Lay it out."""
        self.desk, self.prior = desk, OfferChoice(desk.settings.offers, words, self._from)
        self.words = {key: words.get(key, first) for key, first in START.items()}
        self.forms: dict[str, ConditionsForm] = {}
        self.reference = [*prototypes().values()]
        with card("What is drawn", "input"):
            with tag("div", kind="line"):
                self.prior.show()
                typed(self.words, "number", "Number", type="number", min=1, max=MOST)
                typed(self.words, "temperature", "Temperature, 0 to 2", inputmode="decimal")
                typed(self.words, "seed", "Seed", inputmode="numeric")
            self.plain = tag("p", PLAIN, "soft")
            for name, offer in self.prior.offers.items():
                if offer.limits is not None:
                    self.forms[name] = ConditionsForm(offer.limits, words)
            self._reference()
            with tag("div", kind="line"):
                button("Draw", self.go, "first")
            desk.messages()
            desk.working()
            with tag("p", role="status"):
                self.told = Text("")
        self.strip = Strip(KEYS)
        self._from(self.prior.name)

    def _reference(self) -> None:
        """Choose what samples are compared with, to tell which are new."""
        with tag("details", kind="fold"):
            with tag("summary"):
                self.against = Text(PROTOTYPES_KNOWN)
            self.desk.drop("Drop known crystals, as those of a training", self._known, MOST_KNOWN)
            button("The prototypes again", self._as_prototypes)

    async def _known(self, crystals: list[Crystal]) -> None:
        self.reference = crystals
        self.against.set(f"Samples are new that are none of your {len(crystals):,} known crystals.")

    def _as_prototypes(self) -> None:
        self.reference = [*prototypes().values()]
        self.against.set(PROTOTYPES_KNOWN)

    def _from(self, name: str) -> None:
        self.plain.set_visibility(name not in self.forms)
        for own, form in self.forms.items():
            form.whole.set_visibility(own == name)

    async def go(self) -> None:
        """Draw."""
        self.desk.hush()
        asked = self._asked()
        if asked is None:
            return
        self.strip.clear()
        self.told.set("")
        form = self.forms.get(self.prior.name)
        words = {} if form is None else {key: text for key, text in form.words.items() if text}
        numbers = {"number": asked.count, "seed": asked.seed, "temperature": asked.temperature}
        self.desk.remember("/sample", prior=self.prior.word, **numbers, **words)
        counts = {"all": 0, "valid": 0, "new": 0}

        def take(part: dict[str, Any]) -> None:
            row = part["row"]
            counts["all"] += 1
            counts["valid"] += row.valid
            counts["new"] += row.valid and not part["twin"] and not part["known"]
            notes = [("valid", "good")] if row.valid else [(row.reason, "bad")]
            notes += [(f"same as {part['twin']}", "soft")] if part["twin"] else []
            notes += [(f"known: {part['known']}", "soft")] if part["known"] else []
            notes += [(text, "bad") for text in part["missed"]]
            self.strip.add({**part, "place": counts["all"], "notes": notes})
            self.told.set(f"{counts['all']} drawn, {counts['valid']} valid, {counts['new']} of them different and new")

        done = await self.desk.do(asked, take, "Drawing")
        if done is not None:
            self.desk.say(done["prior"], "note")

    def _asked(self) -> Sample | None:
        """What was typed, as a task; what is wrong with it is said."""
        try:
            count, seed = int(self.words["number"]), int(self.words["seed"])
            temperature = float(self.words["temperature"])
        except ValueError:
            self.desk.say("Number and seed are whole numbers, and the temperature is a number")
            return None
        if not 1 <= count <= MOST or seed < 0 or not 0 <= temperature <= 2:
            self.desk.say(f"The number is 1 to {MOST}, the seed is not negative, the temperature is 0 to 2")
            return None
        try:
            asked = self.forms[self.prior.name].asked() if self.prior.name in self.forms else Conditions()
        except PriorError as error:
            self.desk.say(str(error))
            return None
        conditions = None if asked == Conditions() else asked
        return Sample(count, seed, temperature, self.prior.source, conditions, self.reference)
