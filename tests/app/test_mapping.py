"""The map: points to hover, click, colour and lasso; what is selected is taken home."""

import gzip
import json
import zipfile

import pytest
from browsing import download, drop, serious

pytestmark = pytest.mark.slow

LINK = "/map?data=prototypes&colour=crystal_system&crystal=AB3C_cP5_221_a_c_b"


def test_the_prototypes_are_mapped_lassoed_and_taken_home(reader, shot, tmp_path):
    page = reader(LINK, width=1280, height=900)
    page.locator(".mapped .view canvas").wait_for()
    assert "CaTiO3, AB3C_cP5_221_a_c_b" in page.locator(".map-field canvas").get_attribute("aria-label")
    assert page.locator(".map-keys button").all_inner_texts()[-1].startswith("cubic")
    assert not serious(page)
    shot(page, "map", full_page=True)
    neighbour = page.locator(".alike button").first
    name = neighbour.locator(".name").inner_text()
    neighbour.click()
    page.get_by_role("heading", name=name, exact=True).wait_for()
    assert f"crystal={name}" in page.url
    page.get_by_label("Colours").select_option(label="Density, g/cm³")
    assert "Density, g/cm³" in page.locator(".map-scale").inner_text()
    page.wait_for_url("**colour=density**")
    page.get_by_role("button", name="Lasso").click()
    page.locator(".map-field canvas").scroll_into_view_if_needed()
    box = page.locator(".map-field canvas").bounding_box()
    corners = ((0.02, 0.02), (0.98, 0.02), (0.98, 0.6), (0.02, 0.6))
    page.mouse.move(box["x"] + 0.02 * box["width"], box["y"] + 0.02 * box["height"])
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.up()
    page.locator(".map-said", has_text="are selected").wait_for()
    said = page.locator(".map-said").inner_text()
    selected, _, of = said.split()[:3]
    assert 20 < int(selected) < int(of), said
    download(page, "Download selected as CIF").save_as(tmp_path / "selected.zip")
    assert len(zipfile.ZipFile(tmp_path / "selected.zip").namelist()) == int(selected)
    download(page, "Download for chemiscope").save_as(tmp_path / "map.json.gz")
    assert len(json.loads(gzip.decompress((tmp_path / "map.json.gz").read_bytes()))["structures"]) == int(of)
    page.locator(".map-field canvas").focus()
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector('.map-said').textContent === ''")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("(before) => document.querySelector('.mapped h2').textContent !== before", arg=name)


def test_a_file_of_crystals_is_mapped_and_nothing_selected_is_told(reader, cifs, tmp_path):
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for one in ("SrTiO3.cif", "BaTiO3.cif", "broken.cif"):
            archive.write(cifs / one, one)
    page = reader("/map", 400, 800)
    drop(page, tmp_path / "both.zip")
    page.locator('.map-field canvas[aria-label*="Map of 2 crystals"]').wait_for()
    assert page.locator(".input .error").count() == 1
    assert "?" not in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.get_by_role("searchbox", name="Select crystals").fill("Ba")
    page.get_by_text("1 of 2 crystals are selected").wait_for()
    page.get_by_role("searchbox", name="Select crystals").press("Enter")
    page.get_by_role("heading", name="BaTiO3").wait_for()
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("button", name="Download selected as CIF").click()
    page.get_by_text("Select crystals first").wait_for()
