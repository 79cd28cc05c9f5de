"""What readers do on a page, and what is looked at."""

import pytest


def drop(page, path, place=0):
    page.locator('input[type="file"]').nth(place).set_input_files(path)


def serious(page):
    """What axe-core finds that keeps readers out, by rule and place, once no colour is on its way to another."""
    moving = "document.getAnimations().filter((one) => one instanceof CSSTransition)"
    page.evaluate(f"Promise.all({moving}.map((one) => one.finished.catch(() => null))).then(() => null)")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0].get("failureSummary", "")[:300])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def download(page, button):
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    return waiting.value


def drawn(page):
    """Colours in the first view's picture: a picture of nothing has one."""
    return page.evaluate(
        """() => new Promise((done) => requestAnimationFrame(() => {
            const copy = Object.assign(document.createElement('canvas'), { width: 120, height: 90 });
            const pen = copy.getContext('2d');
            pen.drawImage(document.querySelector('.view canvas'), 0, 0, 120, 90);
            const data = pen.getImageData(0, 0, 120, 90).data;
            const seen = new Set();
            for (let k = 0; k < data.length; k += 4) seen.add(`${data[k]} ${data[k + 1]} ${data[k + 2]}`);
            done(seen.size);
        }))"""
    )
