"""A crystal to begin with: dropped as a file, or picked among the prototypes by what people call it."""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

from nicegui import ui

from xtalcodec.app.controls import button, field, tag
from xtalcodec.app.desk import Desk
from xtalcodec.app.links import prototypes
from xtalcodec.crystal import Crystal


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Return what each prototype is shown as → its name, in the order of the alphabet."""
    from xtalcodec.datasets.sources.aflow_prototypes import minerals

    known = minerals()
    shown = {
        f"{known[name] or crystal.formula} · {crystal.formula} · {name}": name for name, crystal in prototypes().items()
    }
    return dict(sorted(shown.items(), key=lambda pair: pair[0].casefold()))


def line_of(crystals: Sequence[Crystal]) -> str:
    """Say which crystal is taken, where one alone can be: the first."""
    first, elements = crystals[0], ", ".join(sorted(set(crystals[0].symbols)))
    more = f"; the first of {len(crystals)}" if len(crystals) > 1 else ""
    return f"{first.name}: {first.formula}, {len(first)} sites of {elements}{more}"


def choose(desk: Desk, label: str, taken: Callable[[list[Crystal]], Awaitable[None]], kind: str = "crystal") -> None:
    """Place the drop and the list of prototypes here.

    Parameters
    ----------
    desk
        Of the page.
    label
        On the place for files.
    taken
        Gets the crystals.
    kind
        A word that tells this choice from others on the page.
    """
    shown = names()
    desk.drop(label, taken)
    typed = ""

    def remember(text: str) -> None:
        nonlocal typed
        typed = text

    async def take() -> None:
        desk.hush()
        wanted = typed.strip().casefold()
        found = [name for text, name in shown.items() if text.casefold() == wanted] or [
            name for text, name in shown.items() if wanted and wanted in text.casefold()
        ]
        if found:
            await taken([prototypes()[found[0]]])
        else:
            desk.say(f"No prototype is called {typed[:60]!r}" if wanted else "Type a mineral, a formula or a prototype")

    with tag("div", kind="line"):
        box = field(
            "or a prototype, by mineral or formula",
            remember,
            list=f"{kind}-names",
            placeholder="rutile, NaCl …",
            size=34,
        )
        with tag("datalist", id=f"{kind}-names"):
            for text in shown:
                ui.element("option").props.update({"value": text})
        box.on("entered", take, args=[])
        button("Take it", take)
