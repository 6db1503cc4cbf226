"""The page as people use it, in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEYS = 20
HOSTILE_KEY = "physical-frozen-espresso"  # the first sample
FAILED_KEY = "physical-weightless-astronaut"


def to_samples(tab: Page) -> None:
    tab.locator('[id="to.samples"]').scroll_into_view_if_needed()
    tab.locator("#grid a").first.wait_for()


def count(tab: Page) -> str:
    return tab.locator("#count").inner_text()


def found(tab: Page, expected: str) -> None:
    tab.wait_for_function("text => document.getElementById('count').textContent === text", arg=expected)


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
    assert "<script>document.title" in tab.locator("#grid .say").first.inner_text()
    assert "owned" not in tab.title()


def test_a_category_is_filtered(tab: Page) -> None:
    tab.select_option("#category", label="causal")
    found(tab, f"4 of {KEYS} samples")
    to_samples(tab)
    assert "causal" in tab.locator("#grid a").first.get_attribute("aria-label")


@pytest.mark.parametrize(
    ("field", "label", "shown"), [("status", "edit_failed", 1), ("status", "unparsed", 1), ("language", "zh", 10)]
)
def test_a_status_and_a_language_are_filtered(tab: Page, field: str, label: str, shown: int) -> None:
    tab.select_option(f"#{field}", label=label)
    found(tab, f"{shown} of {KEYS} samples")


def test_flags_and_scores_are_filtered_by_the_run_that_is_chosen(tab: Page) -> None:
    tab.select_option("#by", label="by copy")
    tab.select_option("#flag", label="identical")
    tab.fill("#low", "3")
    found(tab, f"5 of {KEYS} samples")


def test_search_finds_what_the_judge_wrote(tab: Page) -> None:
    tab.fill("#search", "Made up of CAUSAL-startled")
    found(tab, f"1 of {KEYS} samples")


def test_escape_in_the_search_clears_the_filters(tab: Page) -> None:
    tab.keyboard.press("/")
    tab.keyboard.type("nothing has this")
    found(tab, f"0 of {KEYS} samples")
    tab.keyboard.press("Escape")
    found(tab, f"{KEYS} samples")


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
    assert tab.locator(".reply").first.inner_text() == f"made up of {HOSTILE_KEY}"


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
