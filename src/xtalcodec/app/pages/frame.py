"""What every page has around it: name, ways to the others, light and dark."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from xtalcodec.app.controls import button, tag
from xtalcodec.app.desk import Desk, Settings

PAGES = {
    "/": "Reconstruct",
    "/between": "Between two crystals",
    "/alter": "Alter",
    "/complete": "Complete",
    "/sample": "Sample",
    "/map": "Map",
}

SCRIPTS = ("vendor/3Dmol.js", "sectors.js", "scene.js", "surface.js", "cell.js", "map_picture.js", "map.js")
"""Files of the pages that are written to disk, which draw here too."""

HEAD = (
    '<link rel="stylesheet" href="/scene/map.css"><link rel="stylesheet" href="/assets/app.css">'
    '<script src="/assets/app.js"></script>'
    + "".join(f'<script src="/scene/{name}"></script>' for name in SCRIPTS)
    + '<script src="/assets/crystals.js"></script>'
)


@contextmanager
def page(path: str, lead: str, settings: Settings) -> Iterator[Desk]:
    """Make the page of a path.

    Parameters
    ----------
    path
        One of `PAGES`.
    lead
        What it is for, in a sentence or two.
    settings
        Of the server.

    Yields
    ------
    The reader's desk, within the page's main part.
    """
    ui.add_head_html(HEAD)
    desk = Desk(settings)
    tag("a", "To the content", "skip", href="#main")
    with tag("header", kind="top"):
        tag("a", "xtalcodec", "brand", href="/")
        with tag("nav", aria_label="Pages"):
            for address, name in PAGES.items():
                tag("a", name, href=address, **({"aria-current": "page"} if address == path else {}))
        tag("span", f"codec {settings.codec}", "codec")
        button("Light or dark", lambda: None).on("click", js_handler="() => Theme.turn()")
    with tag("div", id="main"):  # NiceGUI's own page is the <main>
        with tag("div"):
            tag("h1", PAGES[path])
            tag("p", lead, "lead")
        yield desk
