"""Which of several priors a page draws from."""

from collections.abc import Callable, Mapping

from xtalcodec.app.controls import choice
from xtalcodec.app.offers import Offer


class OfferChoice:
    """The prior that is chosen: the first, unless a link or the reader says another."""

    def __init__(
        self, offers: Mapping[str, Offer], words: Mapping[str, str], on_change: Callable[[str], None] | None = None
    ) -> None:
        """Take the one of a link.

        Parameters
        ----------
        offers
            By name; perhaps none.
        words
            Of the link.
        on_change
            Called with the name of another one that the reader chooses.
        """
        self.offers, self.on_change = offers, on_change
        self.first = next(iter(offers), "")
        self.name = words["prior"] if words.get("prior") in offers else self.first

    def show(self) -> None:
        """Let the reader choose, where there are several."""
        if len(self.offers) > 1:
            choice("Learned from", [(name, name) for name in self.offers], self._take, self.name)

    def _take(self, name: str) -> None:
        if name not in self.offers:
            return  # a browser may send anything
        self.name = name
        if self.on_change:
            self.on_change(name)

    @property
    def source(self) -> str:
        """Where the prior is, not for readers."""
        return self.offers[self.name].source

    @property
    def word(self) -> str | None:
        """Its name for a link; None of the first."""
        return None if self.name == self.first else self.name
