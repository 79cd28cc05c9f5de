"""Sample: crystals that nobody asked for, drawn from what the codec's codes look like."""

from pathlib import Path
from typing import Any

from nicegui import ui

from xtalcodec.app.controls import Text, button, card, choice, field, tag
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.pages.frame import page
from xtalcodec.app.pages.strip import Strip
from xtalcodec.app.work import PROTOTYPES, Sample

LEAD = (
    "Codes are drawn from what was learned of the codes of known crystals, and decoded. Every sample is shown, with "
    "what is wrong with it; a normal distribution draws few good ones."
)
MOST = 64
KEYS = {
    "order drawn": lambda item: -item["place"],
    "confidence": lambda item: item["row"].confidence,
    "valid first": lambda item: (item["row"].valid, item["row"].confidence),
    "sites": lambda item: len(item["row"].crystal) if item["row"].crystal else 0,
}


async def show(settings: Settings, number: str, seed: str, temperature: str) -> None:
    """Make the page; with a number in the link, begin.

    Parameters
    ----------
    settings
        Of the server.
    number, seed, temperature
        As typed.
    """
    with page("/sample", LEAD, settings) as desk:
        made = Page(desk, number or "8", seed or "0", temperature or "0.7")
        if number:
            await ui.context.client.connected()
            await made.go()


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk, number: str, seed: str, temperature: str) -> None:
        """Lay it out."""
        self.desk, self.number, self.seed, self.temperature = desk, number, seed, temperature
        self.source = desk.settings.prior or PROTOTYPES
        self.asked = {"elements": "", "sites": "", "space_group": ""}
        with card("What is drawn", "input"):
            with tag("div", kind="line"):
                if desk.settings.prior:
                    sources = [(desk.settings.prior, Path(desk.settings.prior).name), (PROTOTYPES, "the prototypes")]
                    choice("Learned from", sources, self._from, self.source)
                field("Number", lambda text: setattr(self, "number", text), number, type="number", min=1, max=MOST)
                field(
                    "Temperature, 0 to 2",
                    lambda text: setattr(self, "temperature", text),
                    temperature,
                    inputmode="decimal",
                )
                field("Seed", lambda text: setattr(self, "seed", text), seed, inputmode="numeric")
                if desk.settings.prior:  # the normal distribution of the prototypes cannot be asked for anything
                    self._field("elements", "Just these elements", placeholder="Sr, Ti, O")
                    self._field("sites", "Sites in the primitive cell", placeholder="6-20")
                    self._field("space_group", "Space group, its number", inputmode="numeric")
                button("Draw", self.go, "first")
            desk.messages()
            desk.working()
            self.told = Text("")
        self.strip = Strip(KEYS)
        with self.strip.bar:
            choice("Sorted by", [(key, key) for key in KEYS], self._sort, "order drawn")

    def _field(self, key: str, name: str, **attributes: str) -> None:
        field(name, lambda text: self.asked.update({key: text}), **attributes)

    def _from(self, source: str) -> None:
        if source in (self.desk.settings.prior, PROTOTYPES):  # a browser may send anything
            self.source = source

    def _sort(self, key: str) -> None:
        if key in KEYS:
            self.strip.sort(key)

    async def go(self) -> None:
        """Draw."""
        self.desk.hush()
        asked = self._asked()
        if asked is None:
            return
        self.strip.clear()
        self.told.set("")
        self.desk.remember("/sample", number=asked.count, seed=asked.seed, temperature=asked.temperature)
        counts = {"all": 0, "valid": 0, "new": 0}

        def take(part: dict[str, Any]) -> None:
            row = part["row"]
            counts["all"] += 1
            counts["valid"] += row.valid
            counts["new"] += row.valid and not part["twin"] and not part["known"]
            notes = [("valid", "good")] if row.valid else [(row.reason, "bad")]
            notes += [(f"same as {part['twin']}", "soft")] if part["twin"] else []
            notes += [("a known prototype", "soft")] if part["known"] else []
            self.strip.add({**part, "place": counts["all"], "notes": notes})
            self.told.set(
                f"{counts['all']} drawn, {counts['valid']} valid, {counts['new']} of them different and no prototype"
            )

        done = await self.desk.do(asked, take, "Drawing")
        if done is not None:
            self.desk.say(done["prior"], "note")

    def _asked(self) -> Sample | None:
        """What was typed, as a task; what is wrong with it is said."""
        try:
            count, seed, temperature = int(self.number), int(self.seed), float(self.temperature)
        except ValueError:
            self.desk.say("Number and seed are whole numbers, and the temperature is a number")
            return None
        if not 1 <= count <= MOST or seed < 0 or not 0 <= temperature <= 2:
            self.desk.say(f"The number is 1 to {MOST}, the seed is not negative, the temperature is 0 to 2")
            return None
        return Sample(count, seed, temperature, self.source, **self.asked)
