"""One reader's open page: its messages, its one job at a time, and the crystals that were dropped on it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from nicegui import background_tasks, ui

from xtalcodec.app.controls import Drop, Text, button, tag
from xtalcodec.app.jobs import BusyError, Job, Task, Workers, sentence
from xtalcodec.app.links import LinkError, crystal_of, word_of
from xtalcodec.app.offers import Offer
from xtalcodec.app.uploads import FILES, LARGEST, MOST, Gathered
from xtalcodec.app.work import Read
from xtalcodec.crystal import Crystal

Taken = Callable[[list[Crystal]], Awaitable[None]]

DROPS: dict[str, Gathered] = {}
"""Address of each open place for files → those that came; others' addresses cannot be guessed."""
LEAVING: dict[str, Callable[[], None]] = {}
"""Address that each open page calls when its reader leaves → what ends its work."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What whoever started the server said."""

    codec: str
    workers: Workers
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """Priors to draw from, by name, the best first."""


@dataclass(eq=False)
class Desk:
    """What belongs to one open page, and ends with it."""

    settings: Settings
    job: Job | None = None
    keys: list[str] = field(default_factory=list)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while files are read: others wait, as work that is begun ends what is under way."""

    def __post_init__(self) -> None:
        """End everything when the browser is gone."""
        self.client = ui.context.client
        self.client.on_delete(self.close)
        key = secrets.token_urlsafe(18)
        LEAVING[key] = self.cancel
        self.keys.append(key)
        ui.add_head_html(f'<meta name="left" content="/left/{key}">')

    def close(self) -> None:
        """End the reader's work, of which nothing is told any more, and forget the places for files."""
        job, self.job = self.job, None
        if job:
            job.cancel()
        for key in self.keys:
            DROPS.pop(key, None)
            LEAVING.pop(key, None)

    # ---- what the reader sees of work

    def messages(self) -> None:
        """Place sentences here: what went wrong, beside what was asked."""
        self._messages = tag("div", kind="messages", role="alert")

    def working(self) -> None:
        """Place the progress and the button that cancels here."""
        with tag("div", kind="work", role="status") as self._work:
            self._said = Text("")
            self._bar = tag("progress", max=1, value=0, aria_label="Progress")
            button("Cancel", self.cancel)
        self._work.set_visibility(False)

    def say(self, text: str, kind: str = "error") -> None:
        """Add a sentence; what a file holds is shown as text."""
        with self._messages:
            tag("p", sentence(text), kind)

    def hush(self) -> None:
        """Take the sentences away."""
        self._messages.clear()

    def cancel(self) -> None:
        """End the work."""
        if self.job:
            self.job.cancel()

    async def do(self, task: Task, part: Callable[[Any], None] = lambda _: None, what: str = "Working") -> Any:
        """Have a task done and show how far it is; None where it failed or was cancelled, which is said.

        Parameters
        ----------
        task
            For a worker. One that runs for this page already is cancelled.
        part
            Takes the parts of the result as they come.
        what
            What it is called meanwhile.
        """
        self.cancel()
        try:
            job = self.job = self.settings.workers.submit(task)
        except BusyError as error:
            self.say(str(error))
            return None
        self._work.set_visibility(True)
        async for news in job.news():
            if self.job is not job:
                return None  # another has taken its place
            if news.kind == "waiting":
                self._show(f"Waiting: number {news.value} in the queue", None)
            elif news.kind == "begun":
                self._show(f"{what} …", None)
            elif news.kind == "progress":
                self._show(f"{what} … {news.value[0]} of {news.value[1]}", news.value[0] / max(1, news.value[1]))
            elif news.kind == "part":
                part(news.value)
        self._work.set_visibility(False)
        self.job = None
        if news.kind == "failed":
            self.say(news.value)
        elif news.kind == "cancelled":
            self.say("Cancelled.", "note")
        return news.value if news.kind == "done" else None

    def _show(self, text: str, share: float | None) -> None:
        self._said.set(text)
        if share is None:
            self._bar.props.pop("value", None)
        else:
            self._bar.props["value"] = share
        self._bar.update()

    # ---- crystals that come in

    def drop(self, label: str, taken: Taken, most: int = MOST) -> Drop:
        """Place a place for files here.

        Parameters
        ----------
        label
            On it.
        taken
            Gets the crystals of the files that are dropped together.
        most
            Crystals that are taken of these.
        """
        key = secrets.token_urlsafe(18)

        async def read(files: list[tuple[bytes, str]]) -> None:
            with self.client:
                async with self.reading:
                    result = await self.do(Read(files, most), what="Reading")
                if result is None:
                    return
                for title, reason in result["unusable"]:
                    self.say(f"{title}: {reason}")
                if result["crystals"]:
                    await taken(result["crystals"])

        def begin(files: list[tuple[bytes, str]]) -> None:
            with self.client:
                self.hush()
            background_tasks.create(read(files))

        DROPS[key] = Gathered(begin)
        self.keys.append(key)
        hint = f"CIF, POSCAR, JSON, extended XYZ, SHELX, parquet, or a zip of them; at most {LARGEST >> 20} MiB"
        place = Drop(label, hint, f"/upload/{key}", LARGEST, FILES)
        place.on("refused", lambda event: self.say(str(event.args)))
        return place

    def linked(self, word: str | None) -> Crystal | None:
        """Return the crystal that a link names, if it does; what is wrong with it is said."""
        if not word:
            return None
        try:
            return crystal_of(word)
        except LinkError as error:
            self.say(str(error))
            return None

    def remember(self, path: str, **words: Any) -> None:
        """Put what is shown into the address, so that the same link shows it again; nothing where it is too large.

        Parameters
        ----------
        path
            Of the page.
        words
            Crystals and settings, by name; None for what is not set.
        """
        texts = {key: word_of(value) if isinstance(value, Crystal) else value for key, value in words.items()}
        if any(texts[key] is None for key, value in words.items() if isinstance(value, Crystal)):
            address = path
        else:
            given = {key: f"{value}" for key, value in texts.items() if value is not None}
            address = f"{path}?{urlencode(given, safe=':')}" if given else path
        self.client.run_javascript(f"history.replaceState(null, '', {address!r})")
