from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from editbench import files
from editbench.fleet.run_options import RunOptions
from editbench.paths import ScorePaths
from editbench.records import Judgement
from editbench.score.served import pool, stage
from editbench.score.served.options import ServedOptions
from editbench.score.settings import ScoreSettings

from .server import MODEL, Server


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "BACKOFF", 0.02)
    monkeypatch.setattr(pool, "LONGEST_BACKOFF", 0.1)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts a server, which ends with the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(Server(*arguments, **options).running())


@pytest.fixture
def short(short_rubric: str, tmp_path: Path) -> str:
    (tmp_path / "short.toml").write_text(short_rubric)
    return str(tmp_path / "short.toml")


@pytest.fixture
def judged(make_edits: Callable[..., Path], tmp_path: Path, short: str) -> Callable[..., dict[str, Judgement]]:
    """Scores the five edits by these servers; returns the rows by key."""

    def run(*servers: Server, settings: Any = None, run: Any = None, retry: Any = (), **served: Any) -> dict[str, Judgement]:
        edits = tmp_path / "edits"
        if not edits.exists():
            make_edits()
        options = ServedOptions(**{"endpoint": tuple(server.url for server in servers), "concurrency": 4, **served})
        out = tmp_path / "scores"
        chosen = ScoreSettings(**(settings or {}))
        stage.score(edits, MODEL, short, out, chosen, RunOptions(**(run or {})), options, retry)
        return {row.key: row for row in files.rows(ScorePaths(out).scores, Judgement)}

    return run
