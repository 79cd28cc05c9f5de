"""Between two crystals: what the latents on the way decode to."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from nicegui import ui

from xtalcodec.app.controls import CrystalsView, Text, button, card, check, choice, field, tag
from xtalcodec.app.desk import Desk, Settings
from xtalcodec.app.pages.crystal_choice import choose, line_of
from xtalcodec.app.pages.frame import page
from xtalcodec.app.views import files_of
from xtalcodec.app.work import Between
from xtalcodec.crystal import Crystal

LEAD = (
    "From one crystal to another step by step: atoms move on a cell that both share, or codes are mixed, and each step "
    "is decoded from its code. Move the slider along the way; the curve says how sure the decoder is of each step."
)
MOST_STEPS = 41
WAYS = {
    "": "usual for the codec",
    "atoms": "atoms move",
    "line": "codes mixed, on the line",
    "arc": "codes mixed, along an arc",
}


async def show(settings: Settings, crystal: str | None, to: str | None, words: Mapping[str, str]) -> None:
    """Make the page, with the crystals of a link in it.

    Parameters
    ----------
    settings
        Of the server.
    crystal, to
        Words of links.
    words
        What was typed and chosen, by name.
    """
    with page("/between", LEAD, settings) as desk:
        await Page(desk, words).open(crystal, to)


class Page:
    """One reader's page."""

    def __init__(self, desk: Desk, words: Mapping[str, str]) -> None:
        """Lay it out."""
        self.desk, self.steps, self.way = desk, words.get("steps", "7"), ""
        self._set_way(words.get("way", ""))
        self.energies = bool(words.get("energies")) and find_spec("sevenn") is not None
        self.ends: list[Crystal | None] = [None, None]
        self.rows: list[Any] = []
        with tag("div", kind="columns"):
            self.chosen = [self._end(0, "From"), self._end(1, "To")]
        with card("The way", "input"):
            with tag("div", kind="line"):
                field("Steps, both ends included", self._set_steps, self.steps, type="number", min=2, max=MOST_STEPS)
                choice("How", WAYS.items(), self._set_way, self.way)
                if find_spec("sevenn"):
                    check("With energies (SevenNet)", self._set_energies, value=self.energies)
                button("Go", self.go, "first")
            desk.messages()
            desk.working()
        self.result = tag("section", kind="card result", aria_label="Result")
        with self.result:
            self.view = CrystalsView()
            with tag("div", kind="line"):
                button("Download all CIFs", self.give, "first")
                if find_spec("matplotlib") and find_spec("imageio_ffmpeg"):
                    button("Make a film", self.film)
        self.result.set_visibility(False)

    def _end(self, side: int, title: str) -> Text:
        with card(title):
            said = Text("No crystal yet.")

            async def take(crystals: list[Crystal]) -> None:
                self.ends[side] = crystals[0]
                said.set(line_of(crystals))
                if all(self.ends):
                    await self.go()

            choose(self.desk, "Drop a crystal here, or click to choose a file", take, kind=title.lower())
        return said

    def _set_steps(self, text: str) -> None:
        self.steps = text

    def _set_way(self, way: str) -> None:
        if way in WAYS:
            self.way = way

    def _set_energies(self, wanted: bool) -> None:
        self.energies = wanted

    async def open(self, a: str | None, b: str | None) -> None:
        """Begin with the crystals of a link."""
        self.ends = [self.desk.linked(a), self.desk.linked(b)]
        for said, end in zip(self.chosen, self.ends, strict=True):
            if end is not None:
                said.set(line_of([end]))
        if all(self.ends):
            await ui.context.client.connected()
            await self.go()

    async def go(self) -> None:
        """Walk."""
        self.desk.hush()
        asked = self._asked()
        if asked is None:
            return
        chosen = {"way": self.way or None, "energies": "yes" if self.energies else None}
        self.desk.remember("/between", crystal=asked.a, to=asked.b, steps=asked.steps, **chosen)
        done = await self.desk.do(asked, what="Walking")
        if done is None:
            return
        self.rows = done["rows"]
        confidence = [row.confidence for row in self.rows]
        path = {"shares": done["shares"], "confidence": confidence, "energy": done["energies"]}
        self.result.set_visibility(True)
        self.view.show({"elements": done["elements"], "views": done["views"], "path": path})

    def _asked(self) -> Between | None:
        """What was chosen and typed, as a task; what is wrong with it is said."""
        a, b = self.ends
        if a is None or b is None:
            self.desk.say("Choose two crystals first")
            return None
        if self.steps not in map(str, range(2, MOST_STEPS + 1)):
            self.desk.say(f"The number of steps is a whole number from 2 to {MOST_STEPS}")
            return None
        return Between(a, b, int(self.steps), self.way, self.energies)

    def give(self) -> None:
        """Give the crystals away."""
        name, data = files_of([row.crystal for row in self.rows if row.crystal])
        ui.download.content(data, name)

    async def film(self) -> None:
        """Make a film in the background and give it away."""
        from xtalcodec.app.work import Film

        self.desk.hush()
        asked = self._asked()
        if asked is None:
            return
        film = await self.desk.do(Film(asked), what="Filming")
        if film is not None:
            ui.download.content(film, "between.mp4")
