"""Take the pictures of the app: `SHOTS=1 pytest tests/app && python docs/app_pictures.py`.

Most are what the tests have drawn. Samples and completions are drawn here, from the prior of perovskites that ships,
for the flow of the tests has learnt nothing.
"""

import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
TESTS = SimpleNamespace(**runpy.run_path(str(HERE.parent / "tests" / "app" / "conftest.py")))
"""The tests' server and browser."""
SHOTS: Path = TESTS.SHOTS
WIDTH = 1280
"""Points of the screen across."""
LARGEST = 200_000
"""Bytes of a picture."""
PEROVSKITE = "aflow:AB3C_cP5_221_a_c_b"
DRAWN = {
    "sample": ("/sample?number=8&seed=3&temperature=0.7&elements=Ca,N,O,Ta", ".messages .note"),
    "complete": (f"/complete?crystal={PEROVSKITE}&gone=3,4,5&number=8&seed=0", ".strip > button:nth-child(2)"),
}
"""Picture → address, and what is there at the end."""


def draw() -> None:
    """Take pictures of pages that draw from the prior that ships."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with TESTS.serving("--codec", "perov-5") as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=TESTS.FLAGS)
        for name, (path, last) in DRAWN.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": 900})
            page.set_default_timeout(5 * TESTS.PATIENCE)
            page.goto(address + path)
            page.wait_for_selector(last)
            page.wait_for_selector(".result .view canvas")
            page.wait_for_timeout(3000)  # until the last small picture is drawn
            strip = page.locator(".strip").bounding_box()  # the picture ends with it
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": strip["y"] + strip["height"] + 14}
            page.screenshot(path=SHOTS / f"{name}.png", full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    draw()
    for name in ("reconstruct", "between", "alter", "complete", "sample", "map"):
        picture = Image.open(SHOTS / f"{name}.png").convert("RGB")
        picture.thumbnail((1000, 3000), Image.Resampling.LANCZOS)
        path = HERE / "images" / f"app-{name}.jpg"
        picture.save(path, quality=82, optimize=True, progressive=True)
        size = path.stat().st_size
        if size > LARGEST:
            raise SystemExit(f"{path.name}: {size} bytes are more than {LARGEST}")
        print(f"{path.name}: {size} bytes")
