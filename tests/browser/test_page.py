"""The page as people use it, in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from .conftest import ODD_KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEYS = 20
FAILED_KEY = "physical-weightless-astronaut"


def to_samples(tab: Page) -> None:
    tab.locator('[id="to.samples"]').scroll_into_view_if_needed()
    tab.locator("#grid a").first.wait_for()


def count(tab: Page) -> str:
    return tab.locator("#count").inner_text()


def counted(tab: Page, expected: str) -> None:
    tab.wait_for_function("text => document.getElementById('count').textContent === text", arg=expected)


def labels(tab: Page) -> list[str]:
    return tab.locator("#grid a").evaluate_all("links => links.map(link => link.getAttribute('aria-label'))")


def split(tab: Page) -> int:
    return int(tab.locator(".divider").first.get_attribute("aria-valuenow") or -1)


def test_the_page_shows_every_sample_and_the_leaderboard(tab: Page) -> None:
    assert count(tab) == f"{KEYS} samples"
    assert tab.locator(".leaderboard .who strong").all_inner_texts() == ["negative", "copy"]


def test_pictures_are_drawn(tab: Page) -> None:
    to_samples(tab)
    assert tab.locator("#grid img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
    assert tab.locator(".spectrum img").count() == 6


def test_an_instruction_with_a_script_is_text(tab: Page) -> None:
    to_samples(tab)
    assert "<script>document.title" in tab.locator("#grid .instruction").first.inner_text()
    assert "owned" not in tab.title()


def test_categories_statuses_and_languages_are_filtered(tab: Page) -> None:
    for field, label, shown in (("category", "causal", 4), ("status", "unparsed", 1), ("language", "zh", 10)):
        tab.select_option(f"#{field}", label=label)
        counted(tab, f"{shown} of {KEYS} samples")
        tab.locator("#clear").click()


def test_a_category_of_the_chart_leads_to_its_samples(tab: Page) -> None:
    tab.locator(".means").get_by_role("link", name="causal").click()
    counted(tab, f"4 of {KEYS} samples")
    assert all("; causal; " in label for label in labels(tab))


def test_the_lowest_scores_are_a_click_away(tab: Page) -> None:
    tab.fill("#search", "nothing has this")
    counted(tab, f"0 of {KEYS} samples")
    tab.get_by_role("link", name="All samples, the lowest score first").click()
    counted(tab, f"{KEYS} samples")
    assert "negative 0.00" in labels(tab)[0]


def test_flags_and_scores_are_filtered_by_the_run_that_is_chosen(tab: Page) -> None:
    tab.select_option("#by", label="by copy")
    tab.select_option("#flag", label="identical")
    tab.fill("#low", "3")
    counted(tab, f"5 of {KEYS} samples")


def test_search_finds_what_the_judge_wrote(tab: Page) -> None:
    tab.fill("#search", "Made up of CAUSAL-startled")
    counted(tab, f"1 of {KEYS} samples")


def test_escape_in_the_search_clears_the_filters(tab: Page) -> None:
    tab.keyboard.press("/")
    tab.keyboard.type("nothing has this")
    counted(tab, f"0 of {KEYS} samples")
    tab.keyboard.press("Escape")
    counted(tab, f"{KEYS} samples")


def test_samples_are_ordered_by_score_and_by_the_difference_of_runs(tab: Page) -> None:
    tab.select_option("#sort", "high")
    to_samples(tab)
    assert "negative 10.00" in tab.locator("#grid a").first.get_attribute("aria-label")
    tab.select_option("#sort", "gain")
    tab.locator("#grid li:first-child a[aria-label$='negative 1.00, copy 2.00']").wait_for()


def test_a_run_can_be_hidden(tab: Page) -> None:
    to_samples(tab)
    tab.get_by_label("copy", exact=True).uncheck()
    assert "copy" not in tab.locator("#grid a").first.inner_text()


def test_an_address_opens_its_sample(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(f"{report.as_uri()}#{FAILED_KEY}")
    assert page.locator("#detail .panel").first.inner_text().count("edit failed") == 1
    assert page.locator("#detail .stage.single").count() == 1
    page.close()


def test_a_key_of_odd_characters_has_an_address(browser: Browser, report: Path, tab: Page) -> None:
    to_samples(tab)
    tab.locator("#grid a").first.click()
    assert tab.url.endswith(f"#{quote(ODD_KEY)}")
    page = browser.new_page()
    page.goto(tab.url)
    assert page.locator("#detail .about").inner_text().endswith(ODD_KEY)
    page.close()


def test_an_edit_that_two_judges_scored_is_shown_once(browser: Browser, judges: Path) -> None:
    page = browser.new_page()
    page.goto(f"{judges.as_uri()}#{FAILED_KEY}")
    assert page.locator("#detail .stage").count() == 1
    assert page.locator("#detail .big").all_inner_texts() == ["3.00 of 0 to 10", "2.00 of 0 to 10"]
    page.keyboard.press("Escape")
    assert page.locator("#grid li:first-child .frame").count() == 2
    assert page.locator("#grid li:first-child .judged").count() == 2
    page.close()


def test_the_policy_blocks_what_is_put_into_the_page(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    title, requests = page.title(), []
    page.on("requestfinished", lambda request: requests.append(request.url))
    page.evaluate("""() => {
        document.body.insertAdjacentHTML("beforeend", "<img src=data:, onerror='document.title = 1'>");
        document.body.insertAdjacentHTML("beforeend", "<style>* { color: red; }</style>");
        document.body.append(Object.assign(document.createElement("script"), { textContent: "document.title = 2" }));
        document.body.append(Object.assign(document.createElement("iframe"), { src: "data:text/html,x" }));
        return fetch("data:,x").then(() => { document.title = 3; }, () => {});
    }""")
    assert (page.title(), requests) == (title, [])
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
    page.close()


def test_the_divider_follows_the_mouse_in_every_run(tab: Page) -> None:
    to_samples(tab)
    tab.locator("#grid a").first.click()
    box = tab.locator(".stage").first.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60, steps=3)
    tab.mouse.up()
    assert split(tab) == 25
    assert tab.locator(".divider").last.get_attribute("aria-valuenow") == "25"


def test_the_divider_follows_a_finger(browser: Browser, report: Path) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True)
    page.goto(f"{report.as_uri()}#{quote(ODD_KEY)}")
    box = page.locator(".stage").first.bounding_box()
    finger = page.context.new_cdp_session(page)
    for kind, share in (("touchStart", 0.5), ("touchMove", 0.6), ("touchMove", 0.75)):
        at = {"x": box["x"] + share * box["width"], "y": box["y"] + 60}
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert split(page) == 75
    page.close()


def test_the_divider_follows_the_keyboard(tab: Page) -> None:
    to_samples(tab)
    tab.locator("#grid a").first.click()
    tab.locator(".divider").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowRight")
    assert split(tab) == 62
    tab.keyboard.press("End")
    assert split(tab) == 100


def test_samples_are_walked_by_keyboard_alone(tab: Page) -> None:
    for key in ("j", "j", "Enter"):
        tab.keyboard.press(key)
    assert tab.locator("#detail h2").inner_text().startswith("Put a very massive")
    tab.keyboard.press("j")
    assert tab.url.endswith("#physical-gravel-under-water")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.getAttribute('href')") == "#physical-gravitational-lens"
    assert "#" not in tab.url


def test_a_reason_is_shown_without_its_json(tab: Page) -> None:
    to_samples(tab)
    tab.locator("#grid a").first.click()
    assert tab.locator(".reply").first.inner_text() == f"made up of {ODD_KEY}"


def test_the_theme_is_changed_and_kept(tab: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(background)
    tab.keyboard.press("t")
    tab.keyboard.press("t")
    assert tab.locator("#theme").inner_text() == "Dark"
    dark = tab.evaluate(background)
    tab.reload()
    assert tab.evaluate(background) == dark != light


def test_help_opens_and_closes(tab: Page) -> None:
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    tab.get_by_role("button", name="Close").click()
    assert tab.locator("#help").is_hidden()


def test_on_paper_an_open_sample_is_all_there_is_and_in_light_colours(tab: Page) -> None:
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    tab.locator("#detail .stage").first.wait_for()
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.locator(".leaders").is_hidden()
    assert tab.locator("#detail .stage").first.is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 250)"


def test_a_narrow_screen_does_not_scroll_sideways(tab: Page) -> None:
    tab.set_viewport_size({"width": 400, "height": 800})
    to_samples(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
    tab.locator("#grid a").first.click()
    assert tab.evaluate("document.getElementById('detail').scrollWidth") <= 400


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(tab: Page, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    to_samples(tab)
    closed = axe.Axe().run(tab).response["violations"]
    tab.locator("#grid a").first.click()
    opened = axe.Axe().run(tab).response["violations"]
    serious = [entry for entry in [*closed, *opened] if entry["impact"] in ("serious", "critical")]
    assert [(entry["id"], entry["nodes"][0]["html"]) for entry in serious] == []
