from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from editbench import atomic

LIMITED = """
import resource, sys
from pathlib import Path
from editbench import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    atomic.write(Path(sys.argv[1]), b"x" * 2000)
except OSError as error:
    sys.exit(f"refused: {error.errno}")
"""


def interrupted() -> Iterator[bytes]:
    yield b"half"
    raise KeyboardInterrupt


def test_bytes_and_pieces_arrive_and_nothing_else_is_left(tmp_path: Path) -> None:
    atomic.write(tmp_path / "a", b"one")
    atomic.write(tmp_path / "b", (piece for piece in (b"two", b"three")))
    assert [(path.name, path.read_bytes()) for path in sorted(tmp_path.iterdir())] == [("a", b"one"), ("b", b"twothree")]


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_block_that_raises_changes_nothing(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "a"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(path, interrupted())
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([] if before is None else [before])


def test_nothing_is_under_the_final_name_before_the_end(tmp_path: Path) -> None:
    with atomic.writing(tmp_path / "a") as file:
        file.write(b"half")
        assert not (tmp_path / "a").exists()
        assert all(atomic.is_temporary(path) for path in tmp_path.iterdir())


def test_a_disk_that_fills_up_while_writing_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path / "a"], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == f"refused: {errno.EFBIG}"
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_while_flushing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left") as caught:
        atomic.write(tmp_path / "a", b"data")
    assert caught.value.filename == str(tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("durable", "order"), [(True, ["fsync", "replace", "fsync"]), (False, ["replace"])])
def test_the_file_is_on_disk_before_its_name_and_its_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, order: list[str]
) -> None:
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (calls.append(name), real(*args)))
    atomic.write(tmp_path / "a", b"data", durable=durable)
    assert calls == order


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic.write(tmp_path / "missing" / "a", b"data")


WRITER = """
import sys, time
from pathlib import Path
from editbench import atomic
with atomic.{block}(Path(sys.argv[1])) as made:
    {fill}
    print("at work", flush=True)
    time.sleep(1000)
"""
FILE = WRITER.format(block="writing", fill="made.write(b'half')")
FOLDER = WRITER.format(block="building", fill="(made / 'half').touch()")


@contextmanager
def writer(code: str, path: Path) -> Iterator[None]:
    """A process that is at work on `path` for the time of the block, and is killed then."""
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"at work\n"
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize(("code", "name"), [(FILE, "a"), (FILE, None), (FOLDER, "a")])
def test_what_a_killed_writer_left_is_swept_and_what_another_is_writing_stays(
    tmp_path: Path, code: str, name: str | None
) -> None:
    with writer(code, tmp_path / "a"):
        pass
    left = {*tmp_path.rglob("*")}
    assert left
    with writer(code, tmp_path / "a"):
        others = {*tmp_path.rglob("*")} - left
        atomic.sweep(tmp_path, name)
        assert {*tmp_path.rglob("*")} == others
    atomic.sweep(tmp_path, name)
    assert not [*tmp_path.iterdir()]


def test_sweep_takes_nothing_that_is_not_ours(tmp_path: Path) -> None:
    kept = {".lock", "notes.tmp", "a.tar", ".hidden", ".hidden.tmp", ".a.tar.notes.tmp"}
    for name in (*kept, ".a.tar.123.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".b.1.tmp").symlink_to("a.tar")
    (tmp_path / ".c.1.tmp").mkdir()
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, ".b.1.tmp", ".c.1.tmp"}


def test_sweep_of_one_name_leaves_the_others(tmp_path: Path) -> None:
    for name in (".a.1.tmp", ".a.b.2.tmp", ".b.3.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".a.4.tmp" / "half").mkdir(parents=True)
    atomic.sweep(tmp_path, "a")
    assert {path.name for path in tmp_path.iterdir()} == {".a.b.2.tmp", ".b.3.tmp"}


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, sweeps = fcntl.flock, iter([lambda: atomic.sweep(tmp_path)])

    def late(file: object, operation: int) -> None:
        if operation == fcntl.LOCK_SH:
            next(sweeps, lambda: None)()
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    atomic.write(tmp_path / "a", b"data")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"data")]
    assert next(sweeps, None) is None


def test_without_locks_files_are_written_and_nothing_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    (tmp_path / ".b.123.tmp").touch()
    atomic.write(tmp_path / "a", b"data")
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a", ".b.123.tmp"}
