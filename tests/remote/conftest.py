from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from editbench import remote


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Goes to the machine of that name: each has a cache of its own."""

    def go(name: str) -> None:
        monkeypatch.setenv("EDITBENCH_CACHE", str(tmp_path / f"cache-of-{name}"))

    go("anna")
    return go


@pytest.fixture(autouse=True)
def _no_urls() -> Iterator[None]:
    yield
    remote._urls.clear()
