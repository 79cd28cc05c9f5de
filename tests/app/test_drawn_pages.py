"""Pages that draw from a flow, which has learnt nothing here: conditions, completion, and what ends work."""

import re
import time
import zipfile

import pytest
from browsing import download, serious

pytestmark = pytest.mark.slow

PEROVSKITE = "aflow:AB3C_cP5_221_a_c_b"
GONE = 15
"""Seconds until a worker without a reader has ended, on a busy machine; where only a socket is lost it takes 20."""


def ask(page, words):
    for name, text in words.items():
        page.get_by_role("textbox", name=name).fill(text)


# ---- Alter


def test_a_crystal_is_varied_by_a_flow(reader):
    page = reader(f"/alter?crystal={PEROVSKITE}&noise=0.3&number=3&seed=1")
    page.wait_for_selector(".strip > button:nth-child(3)")
    for formula in page.locator(".strip > button b").all_inner_texts():
        assert set(re.findall("[A-Z][a-z]?", formula)) <= {"Ca", "Ti", "O"}
    assert page.locator(".strip > button").count() == 3
    assert "noise=0.3" in page.url
    assert not serious(page)
    for noise, said in (("2", "more than 0 and up to 1"), ("much", "'much' is no list of numbers")):
        ask(page, {"Vary it by a flow": noise})
        page.get_by_role("button", name="Go").click()
        page.locator(".error", has_text=said).wait_for()


# ---- Sample


def test_samples_hold_the_elements_that_were_clicked(reader, shot, tmp_path):
    page = reader("/sample", width=1280, height=1500)
    table = page.get_by_role("group", name="Elements: just these")
    for name in ("Barium", "Titanium", "Oxygen", "Calcium"):
        table.get_by_role("button", name=name, exact=True).click()
    table.get_by_role("button", name="Calcium", exact=True).press("Enter")  # and no more
    page.get_by_text("each at least once: Ba, Ti, O").wait_for()
    assert table.locator("[aria-pressed=true]").all_inner_texts() == ["O", "Ti", "Ba"]
    assert table.get_by_role("button", name="Iron", exact=True).is_disabled()
    assert table.locator("button").count() == 118
    page.get_by_role("spinbutton", name="Number").fill("3")
    ask(page, {"Sites in the primitive cell": "5-8", "Band gap, eV": "1.5"})
    page.get_by_role("button", name="Draw").click()
    page.wait_for_selector(".strip > button:nth-child(3)")
    page.wait_for_selector(".note")
    for formula in page.locator(".strip > button b").all_inner_texts():
        assert set(re.findall("[A-Z][a-z]?", formula)) <= {"Ba", "Ti", "O"}
    assert "elements=Ba%2CTi%2CO" in page.url
    assert "band_gap=1.5" in page.url
    page.locator(".strip > button").nth(1).click()
    page.locator(".result .figures figure").nth(1).wait_for()
    page.get_by_label("Sorted by").select_option("confidence")
    page.wait_for_function(
        """() => {
            const told = [...document.querySelectorAll('.strip > button small:first-of-type')];
            const sure = told.map((one) => Number(one.textContent.split(' ').at(-1)));
            return sure.length === 3 && sure[0] >= sure[1] && sure[1] >= sure[2];
        }"""
    )
    download(page, "Download all as CIF").save_as(tmp_path / "all.zip")
    assert len(zipfile.ZipFile(tmp_path / "all.zip").namelist()) == 3
    assert not serious(page)
    shot(page, "sample")


def test_the_table_is_walked_by_keys(reader):
    page = reader("/sample", 400, 800)
    page.locator(".periodic:visible button[tabindex='0']").focus()
    assert page.locator(".periodic:visible button[tabindex='0']").get_attribute("aria-label") == "Oxygen"
    page.keyboard.press("ArrowDown")  # nothing that is known stands below: the nearest beside it
    page.keyboard.press("Space")
    assert page.locator(".periodic:visible [aria-pressed=true]").all_inner_texts() == ["Ti"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert not serious(page)


def test_what_a_prior_cannot_make_is_told_beside_the_fields(reader):
    page = reader("/sample?composition=CaTiO3&elements=Ba&number=1")
    assert "name different elements" in page.locator(".input .error").inner_text()
    ask(page, {"Composition": "FeO"})
    page.get_by_role("button", name="Any elements").click()
    page.get_by_text("Any elements, at most 4").wait_for()
    page.get_by_role("button", name="Draw").click()
    page.get_by_text("never saw Fe in training").wait_for()


# ---- Complete


def test_oxygen_is_taken_out_and_drawn_again(reader, shot):
    page = reader(f"/complete?crystal={PEROVSKITE}", width=1280, height=1400)
    page.wait_for_selector(".choice .view canvas")
    said = page.locator(".choice .said")
    page.get_by_role("button", name="All O").click()
    page.get_by_text("3 of 5 sites: O 3, O 4, O 5").wait_for()
    assert page.get_by_role("checkbox", name="O 4").is_checked()
    page.get_by_role("checkbox", name="O 4").uncheck()
    page.get_by_text("2 of 5 sites: O 3, O 5").wait_for()
    box = page.locator(".choice .view").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # titanium is in the middle
    page.get_by_text("3 of 5 sites: Ti 2, O 3, O 5").wait_for()
    assert page.get_by_role("checkbox", name="Ti 2").is_checked()
    page.get_by_role("button", name="None").click()
    ask(page, {"Region": "x>2"})
    page.get_by_role("button", name="Choose sites by region").click()
    assert "no site in x>2" in page.locator(".input .error").inner_text()
    ask(page, {"Region": "z>0.4, x<0.1"})
    page.get_by_role("textbox", name="Region").press("Enter")
    page.get_by_text("1 of 5 sites: O 3").wait_for()
    page.get_by_role("spinbutton", name="Draws").fill("2")
    page.get_by_role("button", name="Complete", exact=True).click()
    page.get_by_text("2 draws, ways that differ: 2; 4 sites are kept").wait_for()
    assert said.inner_text().endswith("O 3")
    assert page.locator(".strip > button").count() == 2
    assert not serious(page)
    shot(page, "complete", full_page=True)
    again = reader("/" + page.url.split("/", 3)[3])
    again.get_by_text("2 draws, ways that differ: 2; 4 sites are kept").wait_for()


def test_what_cannot_be_completed_is_told(reader):
    page = reader(f"/complete?crystal={PEROVSKITE}&add=4")
    page.get_by_text("9 sites are asked for").wait_for()
    ask(page, {"Add: 4": "Qq2"})
    page.get_by_role("button", name="Complete", exact=True).click()
    page.get_by_text("no element 'Qq'").wait_for()


def test_elements_are_replaced_in_chosen_sites_alone(reader):
    page = reader(f"/alter?crystal={PEROVSKITE}", width=1280, height=1200)
    page.get_by_role("checkbox", name="O 3").check()
    page.get_by_text("1 of 5 sites: O 3").wait_for()
    page.get_by_label("Elements, old=new").fill("O=S")
    page.get_by_role("button", name="Go").click()
    page.wait_for_selector(".strip > button:nth-child(2)")
    again = reader(page.url[page.url.index("/alter") :], width=1280, height=1200)
    again.get_by_text("1 of 5 sites: O 3").wait_for()
    again.wait_for_selector(".strip > button:nth-child(2)")
    page.get_by_label("Elements, old=new").fill("Ti=Zr")
    page.get_by_role("button", name="Go").click()
    page.get_by_text("The chosen part has no Ti").wait_for()


# ---- work that ends


def test_drawing_is_cancelled(reader, holding):
    with holding():
        page = reader("/sample?number=64")
        page.get_by_text("Drawing …").wait_for()
        page.get_by_role("button", name="Cancel").press("Enter")
        page.get_by_text("Cancelled.").wait_for()
        assert not page.get_by_role("progressbar").is_visible()


def test_closing_the_browser_ends_its_work_and_serves_the_next_reader(reader, workers, holding):
    with holding():
        page = reader("/between?crystal=aflow:A_mP64_14_16e&to=aflow:A_mP64_14_16e&steps=41")
        page.get_by_text("Walking …").wait_for()
        other = reader(f"/complete?crystal={PEROVSKITE}&number=1&gone=3")
        other.get_by_text("Waiting: number 1 in the queue").wait_for()
        other.get_by_role("button", name="Cancel").click()
        other.get_by_text("Cancelled.").wait_for()
        other.get_by_role("button", name="Complete", exact=True).click()
        other.get_by_text("Waiting: number 1 in the queue").wait_for()
        (worker,) = workers()
        page.context.close()
        begun = time.perf_counter()
        while worker in workers():
            assert time.perf_counter() - begun < 4 * GONE
            time.sleep(0.05)
        print(f"\nclosed: its work ended after {time.perf_counter() - begun:.2f} s")  # noqa: T201
    other.get_by_text("1 draws, ways that differ: 1").wait_for()


def test_two_readers_ask_for_different_things(reader):
    one, other = reader("/sample?number=1&elements=Ba,O"), reader("/sample?number=1&elements=Ca,O")
    for page, foreign in ((one, "Ca"), (other, "Ba")):
        page.wait_for_selector(".strip > button")
        assert foreign not in page.locator(".strip").inner_text()
