from __future__ import annotations

import threading
import time
from pathlib import Path

import orjson
import pytest
import simulate

from editbench.errors import Interrupted, UserError
from editbench.fleet import status
from editbench.fleet.panel import live as panel
from editbench.fleet.panel.watch import watch
from editbench.fleet.run_options import Style
from editbench.fleet.status import RunStatus
from editbench.paths import RunPaths


def make(root: Path, **values) -> RunPaths:
    """The status of a run of one rank, that has done a few samples; ended by default."""
    paths = RunPaths(root)
    paths.status.mkdir(parents=True)
    one = simulate.Rank(0, "edit", paths, gpu=False, hosts=1)
    for tick in range(400):
        one.tick(0.25, 10.0 + tick)
    one.write()
    now = time.time()
    ended = {"ended": now, "outcome": status.FINISHED}
    common = {"stage": "edit", "title": "edit a model", "total": 50, "before": 0, "attempt": 1, "ranks": 1, "began": now - 60}
    RunStatus(**{**common, **ended, **values}).write(paths)
    return paths


def test_a_finished_folder_shows_its_end(tmp_path, capsys):
    watch(make(tmp_path / "edits").root)
    said = capsys.readouterr().out
    assert "finished after 1:00" in said
    assert "slowest" in said


def test_once_shows_how_a_run_stands_and_returns(tmp_path, capsys):
    watch(make(tmp_path / "edits", ended=None, outcome="").root, once=True)
    said = capsys.readouterr().out
    assert "editing" in said
    assert "slowest" not in said


def test_a_run_of_an_older_version_is_shown(tmp_path, capsys):
    paths = make(tmp_path / "edits", ended=None, outcome="")
    rank = orjson.loads(paths.rank_status(0).read_bytes())
    names = {"incarnation": "life", "item": "held", "heartbeats": "beats"}
    paths.rank_status(0).write_bytes(orjson.dumps({names.get(name, name): value for name, value in rank.items()}))
    watch(paths.root, once=True)
    assert "editing" in capsys.readouterr().out


@pytest.mark.parametrize("value", [{"scores": {"a": [1]}}, {"scores": {"a": [1, 2, 3]}}])
def test_a_rank_whose_status_is_broken_is_left_out(value, tmp_path, capsys):
    paths = make(tmp_path / "edits", ended=None, outcome="")
    rank = orjson.loads(paths.rank_status(0).read_bytes())
    paths.rank_status(0).write_bytes(orjson.dumps(rank | value))
    watch(paths.root, once=True)
    assert "editing" not in capsys.readouterr().out


def test_it_writes_nothing(tmp_path):
    root = make(tmp_path / "edits").root
    before = {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}
    watch(root)
    assert {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]} == before


def test_it_ends_when_the_run_ends(tmp_path, capsys):
    paths = make(tmp_path / "edits", ended=None, outcome="")

    def end() -> None:
        run = RunStatus.read(paths)
        run.ended, run.outcome = time.time(), status.FINISHED
        run.write(paths)

    timer = threading.Timer(0.3, end)
    timer.start()
    watch(paths.root, style=Style.PLAIN)
    timer.join()
    assert "finished after" in capsys.readouterr().out


def test_it_goes_on_with_the_next_attempt(tmp_path, capsys, monkeypatch):
    paths = make(tmp_path / "edits", ended=None, outcome="")
    outcomes = iter([{"ended": time.time(), "outcome": "torchrun died"}, {"attempt": 2}, {"attempt": 2, "ended": time.time()}])

    def sleep(_seconds: float) -> None:
        run = RunStatus.read(paths)
        for name, value in {"ended": None, "outcome": status.FINISHED, **next(outcomes)}.items():
            setattr(run, name, value)
        run.write(paths)

    monkeypatch.setattr(panel.time, "sleep", sleep)
    watch(paths.root, style=Style.PLAIN)
    said = capsys.readouterr().out
    assert said.index("torchrun died after") < said.index("finished after")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("interrupted", "", 130)])
def test_ctrl_c_just_ends_it(tmp_path, monkeypatch, error):
    def sleep(_seconds: float) -> None:
        raise error

    monkeypatch.setattr(panel.time, "sleep", sleep)
    watch(make(tmp_path / "edits", ended=None, outcome="").root, style=Style.PLAIN)


def test_a_signal_to_end_is_no_ctrl_c(tmp_path, monkeypatch):
    def sleep(_seconds: float) -> None:
        raise Interrupted("interrupted", "", 143)

    monkeypatch.setattr(panel.time, "sleep", sleep)
    with pytest.raises(Interrupted):
        watch(make(tmp_path / "edits", ended=None, outcome="").root, style=Style.PLAIN)


def test_a_folder_without_a_status_is_refused(tmp_path):
    with pytest.raises(UserError, match="no status of a run"):
        watch(tmp_path)
