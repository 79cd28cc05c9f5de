"""What samples are asked to be: a periodic table to click, and fields for the rest."""

from collections.abc import Mapping

from xtalcodec.app.controls import PeriodicTable, Text, button, choice, tag, typed
from xtalcodec.priors.asked import asked
from xtalcodec.priors.conditions import NAMES, QUANTITIES, Conditions, Limits

WORDS = ("elements", "composition", "sites", "space_group", "crystal_system")
"""As the library reads them; properties come with them."""


class ConditionsForm:
    """Conditions that one prior obeys."""

    def __init__(self, limits: Limits, words: Mapping[str, str]) -> None:
        """Lay it out.

        Parameters
        ----------
        limits
            Of the prior.
        words
            What is asked at first, by name.
        """
        self.limits = limits
        self.words = {key: words.get(key, "") for key in (*WORDS, *limits.properties)}
        elements = [part.strip() for part in self.words["elements"].split(",") if part.strip()]
        with tag("div", kind="conditions") as self.whole:
            with tag("div", kind="periodic-frame"):
                self.table = PeriodicTable("Elements: just these", limits.elements, elements, self._chosen)
            with tag("div", kind="line middle"):
                with tag("p", role="status"):
                    self.said = Text("")
                button("Any elements", self._any)
            with tag("div", kind="line"):
                typed(self.words, "composition", "Composition, just this", placeholder="SrTiO3", size=14)
                typed(
                    self.words,
                    "sites",
                    f"Sites in the primitive cell, up to {limits.most_sites}",
                    placeholder="6-20",
                    size=14,
                )
                typed(self.words, "space_group", "Space group, number or symbol", placeholder="221", size=14)
                systems = [("", "any"), *((name, name) for name in NAMES)]
                choice("Crystal system", systems, self._system, self.words["crystal_system"])
            with tag("div", kind="line", role="group", aria_label="Properties"):
                for name in limits.properties:
                    typed(self.words, name, QUANTITIES.get(name, name), inputmode="decimal", size=14)
        self._chosen(elements)

    def _system(self, name: str) -> None:
        self.words["crystal_system"] = name

    def _chosen(self, symbols: list[str]) -> None:
        self.words["elements"] = ",".join(symbols)
        if not symbols:
            self.said.set(f"Any elements, at most {self.limits.most_elements} in a crystal.")
        else:
            self.said.set(f"Just these elements, each at least once: {', '.join(symbols)}")

    def _any(self) -> None:
        self.table.put(())
        self._chosen([])

    def asked(self) -> Conditions:
        """Return what is asked.

        Raises
        ------
        PriorError
            A word that means nothing, or what the prior cannot make.
        """
        properties = [f"{name}={self.words[name]}" for name in self.limits.properties if self.words[name]]
        conditions = asked(**{key: self.words[key].strip() or None for key in WORDS}, properties=properties)
        conditions.check(self.limits)
        return conditions
