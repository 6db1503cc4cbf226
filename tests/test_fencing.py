from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from editbench import fencing
from editbench.errors import UserError
from editbench.paths import RunPaths


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path)


def test_ranks_join_the_attempt_of_their_token_alone(paths: RunPaths) -> None:
    old, new = fencing.renew(paths), fencing.renew(paths)
    assert fencing.join(paths, old) is None
    first, second = fencing.join(paths, new), fencing.join(paths, new)
    assert None not in (first, second)
    os.close(first)
    os.close(second)


def test_another_node_joins_what_is_under_way(paths: RunPaths) -> None:
    assert fencing.join(paths, "") is None
    fencing.renew(paths)
    os.close(fencing.join(paths, ""))


def test_an_attempt_waits_for_the_ranks_of_the_last(paths: RunPaths) -> None:
    descriptor = fencing.join(paths, fencing.renew(paths))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fencing.renew, paths)
        assert not wait([waiting], timeout=4 * fencing.POLL).done
        os.close(descriptor)
        os.close(fencing.join(paths, waiting.result(60)))


def test_ranks_that_do_not_end_are_told_of(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(fencing, "NOTICE_AFTER", 0.0)
    monkeypatch.setattr(fencing, "TIMEOUT", 2 * fencing.POLL)
    descriptor = fencing.join(paths, fencing.renew(paths))
    with pytest.raises(UserError, match="still at work") as caught:
        fencing.renew(paths)
    assert str(paths.ranks) in caught.value.remedy
    assert capsys.readouterr().out.count("waiting for ranks") == 1
    os.close(descriptor)
    fencing.renew(paths)


def test_nothing_is_written_through_a_link(paths: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    paths.ranks.symlink_to("precious")
    with pytest.raises(UserError, match="can't write"):
        fencing.renew(paths)
    assert (tmp_path / "precious").read_text() == "mine"
