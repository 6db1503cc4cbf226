from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from editbench import fencing, identity, run_folder
from editbench.errors import IdentityError, UserError
from editbench.paths import EditPaths, RunPaths

WANTED = identity.make("edit", settings={"steps": 40})
OTHER = identity.make("edit", settings={"steps": 20})
HOLDER = """
import sys, time
from pathlib import Path
from editbench import identity, run_folder
from editbench.paths import EditPaths, RunPaths
with run_folder.taken(RunPaths(Path(sys.argv[1])), identity.make("edit", settings={"steps": 40}), fresh=False):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "run")


@pytest.fixture
def run(paths: RunPaths) -> RunPaths:
    """A folder that a run of the identity WANTED has finished in."""
    take(paths)
    paths.manifest.write_text("marker")
    paths.logs.mkdir()
    (paths.logs / "log").write_text("said")
    return paths


def take(paths: RunPaths, wanted: dict = WANTED, *, fresh: bool = False) -> None:
    with run_folder.taken(paths, wanted, fresh=fresh):
        pass


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@contextmanager
def another_holder(paths: RunPaths) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLDER, paths.root], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_new_folder_gets_the_identity_and_the_same_settings_take_it_again(paths: RunPaths) -> None:
    take(paths)
    take(paths)
    assert identity.load(paths.identity) == WANTED


def test_a_second_run_is_refused_until_the_first_is_killed(paths: RunPaths) -> None:
    with another_holder(paths) as holder:
        with pytest.raises(UserError, match="another run is at work"):
            take(paths)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        take(paths)


def test_fresh_does_not_take_a_folder_from_a_run_at_work(paths: RunPaths) -> None:
    with another_holder(paths):
        with pytest.raises(UserError, match="another run is at work"):
            take(paths, fresh=True)
        assert paths.identity.exists()


def test_other_settings_are_refused_by_name_and_nothing_is_touched(run: RunPaths) -> None:
    before = contents(run.root)
    with pytest.raises(IdentityError) as caught:
        take(run, OTHER)
    assert caught.value.differences == [("settings.steps", "40", "20")]
    assert contents(run.root) == before


def test_other_settings_that_came_while_waiting_for_the_lock_are_refused(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run_folder._lock

    def late(descriptor: int, root: Path) -> None:
        identity.settle(paths.identity, OTHER)
        paths.manifest.touch()
        real(descriptor, root)

    monkeypatch.setattr(run_folder, "_lock", late)
    with pytest.raises(IdentityError):
        take(paths)


def test_fresh_moves_everything_aside_and_deletes_nothing(run: RunPaths) -> None:
    before = contents(run.root)
    take(run, OTHER, fresh=True)
    assert contents(run.root.with_name("run.old-1")) == {name: data for name, data in before.items() if name != ".lock"}
    assert set(contents(run.root)) == {".lock", "identity.json"}
    take(run, WANTED, fresh=True)
    assert identity.load(RunPaths(run.root.with_name("run.old-2")).identity) == OTHER


def test_fresh_waits_for_the_ranks_of_the_run_that_it_moves_aside(run: RunPaths) -> None:
    rank = fencing.join(run, fencing.renew(run))
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take, run, fresh=True)
        assert not wait([taking], timeout=4 * fencing.POLL).done
        assert run.manifest.exists()
        os.close(rank)
        taking.result(60)
    assert not run.manifest.exists()


def test_a_crash_while_moving_aside_leaves_a_folder_that_is_neither_finished_nor_foreign(
    run: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(contents(run.root))
    moved, real = [], Path.rename

    def rename(path: Path, target: Path) -> Path:
        if len(moved) == 1:
            raise KeyboardInterrupt
        moved.append(path)
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            take(run, OTHER, fresh=True)
    assert not run.manifest.exists()
    take(run, OTHER, fresh=True)
    kept = {name for aside in run.root.parent.glob("run.old-*") for name in contents(aside)}
    assert sorted([*kept, ".lock"]) == names


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_somebody_else_is_refused_and_untouched(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not a run of editbench"):
        take(RunPaths(tmp_path), fresh=fresh)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


def test_a_file_and_a_place_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is not a folder"):
        take(RunPaths(tmp_path / "file"))
    with pytest.raises(UserError, match="can't write into"):
        take(RunPaths(tmp_path / "file" / "run"))


def test_a_folder_whose_first_run_was_killed_at_once_is_taken(paths: RunPaths) -> None:
    paths.root.mkdir()
    paths.lock.touch()
    (paths.root / ".identity.json.123.tmp").write_text("{")
    take(paths)
    assert set(contents(paths.root)) == {".lock", "identity.json"}


def test_files_that_a_killed_run_left_half_written_are_swept(run: RunPaths) -> None:
    (run.root / ".manifest.json.123.tmp").write_text("half")
    take(run)
    assert not list(run.root.glob("*.tmp"))


@pytest.mark.parametrize("name", ["status", "logs", "spool"])
def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    paths, precious = EditPaths(tmp_path / "run"), tmp_path / "precious"
    with run_folder.taken(paths, WANTED, fresh=False):
        pass
    precious.mkdir()
    (precious / "x.tar").touch()
    (paths.root / name).symlink_to(precious)
    with pytest.raises(UserError, match=f"{name} is a link to another folder"), run_folder.taken(paths, WANTED, fresh=False):
        pass
    assert (precious / "x.tar").exists()


def test_a_run_that_came_to_no_result_is_in_nobodys_way(paths: RunPaths) -> None:
    take(paths)
    paths.logs.mkdir()
    (paths.logs / "log").write_text("refused")
    EditPaths(paths.root).spool.mkdir()
    take(paths, OTHER)
    assert identity.load(paths.identity) == OTHER
    assert (paths.root.with_name("run.old-1") / "logs" / "log").read_text() == "refused"


def test_one_result_is_enough_for_a_folder_to_keep_its_settings(paths: RunPaths) -> None:
    take(paths)
    EditPaths(paths.root).spool.mkdir()
    EditPaths(paths.root).spooled("a").touch()
    with pytest.raises(IdentityError):
        take(paths, OTHER)
