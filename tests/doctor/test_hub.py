from __future__ import annotations

import sys
import threading

import pytest
from huggingface_hub import constants

from editbench.doctor import hub


def states() -> list[tuple[str, str]]:
    return [(check.what, check.state) for check in hub.checks()]


def test_a_hub_that_answers_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_ask", lambda endpoint: "")
    assert states() == [("hub login", "ok"), ("hub", "ok")]
    monkeypatch.setattr(hub, "_ask", lambda endpoint: "connection refused")
    assert states() == [("hub login", "ok"), ("hub", "note")]


def test_nobody_asks_a_hub_that_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_ask", lambda endpoint: pytest.fail("it was asked"))
    assert [check.here for check in hub.checks()][1:] == ["offline, by HF_HUB_OFFLINE"]


def test_a_hub_that_never_answers_is_not_waited_for() -> None:
    ever = threading.Event()
    try:
        assert hub.within(0.01, lambda: str(ever.wait())) == "nothing in 0.01 s"
    finally:
        ever.set()


def test_what_the_connection_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub._ask("http://127.0.0.1:9") != ""


def test_without_its_library_there_is_nothing_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert states() == []
