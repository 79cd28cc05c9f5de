"""The crystal that is to be changed, and the sites of it that are meant."""

from collections.abc import Awaitable, Callable, Iterable

from xtalcodec.app.controls import Text, card
from xtalcodec.app.desk import Desk
from xtalcodec.app.pages.crystal_choice import choose, line_of
from xtalcodec.app.pages.site_choice import SiteChoice
from xtalcodec.crystal import Crystal


class CrystalCard:
    """A part of the page where a crystal is chosen, and sites of it."""

    def __init__(self, desk: Desk, verb: str, taken: Callable[[], Awaitable[None]]) -> None:
        """Lay it out, empty.

        Parameters
        ----------
        desk
            Of the page.
        verb
            What becomes of chosen sites, as in "Taken out".
        taken
            Called when the reader has chosen a crystal.
        """
        self._taken = taken
        with card("The crystal"):
            self._said = Text("No crystal yet.")
            choose(desk, "Drop a crystal here, or click to choose a file", self._take)
            self._sites = SiteChoice(desk, verb)

    @property
    def crystal(self) -> Crystal | None:
        """The crystal, once there is one."""
        return self._sites.crystal

    @property
    def chosen(self) -> tuple[int, ...]:
        """Sites that are chosen, ascending."""
        return tuple(sorted(self._sites.chosen))

    async def _take(self, crystals: list[Crystal]) -> None:
        self.show(crystals[0])
        self._said.set(line_of(crystals))
        await self._taken()

    def show(self, crystal: Crystal, chosen: Iterable[int] = ()) -> None:
        """Show a crystal, and which of its sites are chosen."""
        self._said.set(line_of([crystal]))
        self._sites.show(crystal, chosen)
