"""Six samples, two a shard; a bad one fails at its first try."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import orjson
import pytest

from editbench import manifests, shards
from editbench.edit import spool as module
from editbench.edit.spool import Spool
from editbench.edits import flagged
from editbench.errors import StageError
from editbench.manifests import EditManifest, Named
from editbench.paths import EditPaths
from editbench.records import Failure, Sample

KEYS = ("a", "b", "c", "d", "e", "f")
ABOUT = (Named(name="bench"), Named(name="model"), "i")


class Crash(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def _no_flushes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of them; that they are made is for tests/test_atomic.py."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return start(tmp_path / "run")


def start(root: Path) -> Spool:
    """The spool as a run that starts, or starts again, makes it."""
    paths = EditPaths(root)
    paths.spool.mkdir(parents=True, exist_ok=True)
    spool = Spool(paths, KEYS, 2)
    spool.set_aside_damaged()
    return spool


def put(spool: Spool, keys: Collection[str]) -> None:
    for key in keys:
        spool.put(key, {"json": sample(key).to_json(), "edited.png": key.encode() * 1000})


def sample(key: str) -> Sample:
    return Sample(key=key, id=key, instruction="", category="")


def fail(spool: Spool, key: str, attempts: int = 1) -> None:
    about = {"key": key, "id": key, "category": "", "language": "en", "group": ""}
    spool.put_failure(Failure(**about, index=KEYS.index(key), reason="error", error="no", attempts=attempts))


def work(spool: Spool, bad: Collection[str] = ()) -> EditManifest:
    """Edit what is missing, but for the `bad`, seal what is complete and finish, as a run does."""
    for place in spool.missing():
        if KEYS[place] in bad:
            fail(spool, KEYS[place])
        else:
            put(spool, KEYS[place])
        if spool.complete(spool.shard_of(place)):
            spool.seal(spool.shard_of(place))
    return spool.finish(*ABOUT)


def digests(spool: Spool) -> dict[str, str]:
    files = [path for path in spool.paths.root.iterdir() if path.is_file() and not path.name.endswith(".damaged")]
    return {path.name: shards.sha256(path) for path in files}


@pytest.fixture
def undisturbed(tmp_path: Path) -> Callable[[Collection[str]], dict[str, str]]:
    def finished(bad: Collection[str]) -> dict[str, str]:
        spool = start(tmp_path / "undisturbed")
        work(spool, bad)
        return digests(spool)

    return finished


def test_a_new_run_misses_everything(spool: Spool) -> None:
    assert spool.missing() == [0, 1, 2, 3, 4, 5]
    assert not spool.has(0)
    assert spool.shard_count == 3


def test_a_finished_edit_is_there_spooled_or_sealed(spool: Spool) -> None:
    put(spool, "ab")
    assert spool.has(0)
    assert spool.missing() == [2, 3, 4, 5]
    assert spool.complete(0)
    assert not spool.complete(1)
    assert len(spool.seal(0)) == 2
    assert not list(spool.paths.spool.iterdir())
    assert spool.has(0)
    assert spool.missing() == [2, 3, 4, 5]


def test_a_finished_run_holds_everything_in_order_and_no_spool(spool: Spool) -> None:
    put(spool, "fedcba")
    manifest = spool.finish(*ABOUT)
    assert (manifest.samples, manifest.edited, manifest.failed, manifest.identity) == (6, 6, 0, "i")
    assert [stored.key for shard in range(3) for stored in shards.index(spool.paths.shard(shard))] == list(KEYS)
    assert manifests.load(spool.paths.manifest, EditManifest) == manifest
    assert spool.paths.failures.read_bytes() == b""
    assert not spool.paths.spool.exists()


def test_the_order_of_the_edits_leaves_no_trace(spool: Spool, undisturbed: Callable) -> None:
    put(spool, "fb")
    put(spool, "ea")
    spool.seal(0)
    put(spool, "cd")
    spool.finish(*ABOUT)
    assert digests(spool) == undisturbed(())


def test_flags_are_counted_over_all_edits(spool: Spool) -> None:
    for key, flags in zip(KEYS, (["nan", "uniform"], [], ["uniform"], [], [], []), strict=True):
        record = {**sample(key).to_dict(), "edit": {"flags": flags}}
        spool.put(key, {"json": orjson.dumps(record)})
    spool.seal(0)
    manifest = spool.finish(*ABOUT)
    assert (manifest.flagged, manifest.flags) == (2, {"nan": 1, "uniform": 2})
    assert flagged(manifest) == ", 2 flagged (1 nan, 2 uniform)"


def test_edits_without_flags_count_none(spool: Spool) -> None:
    manifest = work(spool)
    assert (manifest.flagged, manifest.flags, flagged(manifest)) == (0, {}, "")


def test_failures_are_listed_counted_and_left_out(spool: Spool) -> None:
    manifest = work(spool, bad=("b", "e", "f"))
    assert (manifest.edited, manifest.failed, manifest.failures) == (3, 3, {"error": 3})
    assert [(failure.key, failure.index) for failure in spool.failures()] == [("b", 1), ("e", 4), ("f", 5)]
    assert [entry.samples for entry in manifest.shards] == [1, 2]
    assert not spool.paths.shard(2).exists()
    assert start(spool.paths.root).missing() == [1, 4, 5]


def test_failures_that_are_edited_later_give_the_bytes_of_an_undisturbed_run(spool: Spool, undisturbed: Callable) -> None:
    work(spool, bad=("b", "e", "f"))
    work(start(spool.paths.root), bad=("e",))
    work(start(spool.paths.root))
    assert digests(spool) == undisturbed(())


def test_an_edit_later_than_its_failure_counts(spool: Spool, undisturbed: Callable) -> None:
    fail(spool, "a")
    put(spool, KEYS)
    spool.finish(*ABOUT)
    assert digests(spool) == undisturbed(())


def test_a_sample_with_neither_edit_nor_failure_stops_the_end(spool: Spool) -> None:
    put(spool, "abcde")
    with pytest.raises(StageError, match="sample f has neither an edit nor a failure"):
        spool.finish(*ABOUT)
    assert not spool.paths.manifest.exists()
    put(spool, "f")
    spool.finish(*ABOUT)


def test_a_failure_is_not_pending_until_it_is_forgotten(spool: Spool) -> None:
    fail(spool, "a")
    put(spool, "bcd")
    assert (spool.missing(), spool.pending()) == ([0, 4, 5], [4, 5])
    spool.forget_failures()
    assert spool.pending() == [0, 4, 5]


@pytest.mark.parametrize("length", [0, 100, 2048])
def test_a_spooled_edit_that_is_cut_short_is_set_aside_and_missing(
    spool: Spool, capsys: pytest.CaptureFixture, length: int
) -> None:
    put(spool, "ab")
    path = spool.paths.spooled("b")
    path.write_bytes(path.read_bytes()[:length])
    assert spool.missing() == start(spool.paths.root).missing() == [1, 2, 3, 4, 5]
    assert (spool.paths.root / "b.tar.damaged").stat().st_size == length
    assert "is not whole" in capsys.readouterr().err


def test_a_shard_that_is_cut_short_is_set_aside_and_its_samples_are_missing(spool: Spool, undisturbed: Callable) -> None:
    put(spool, "abcd")
    spool.seal(1)
    path = spool.paths.shard(1)
    path.write_bytes(path.read_bytes()[:2048])
    assert spool.missing() == [2, 3, 4, 5]
    work(start(spool.paths.root))
    assert digests(spool) == undisturbed(())


def test_a_finished_run_knows_the_shards_it_has_lost(spool: Spool, undisturbed: Callable) -> None:
    manifest = work(spool)
    assert spool.lost(manifest) == []
    spool.paths.shard(0).unlink()
    shutil.copy(spool.paths.shard(1), spool.paths.shard(2))
    with spool.paths.shard(1).open("ab") as file:
        file.write(bytes(512))
    assert spool.lost(manifest) == [0, 1]
    spool.set_aside(map(spool.paths.shard, [0, 1]))
    spool = start(spool.paths.root)
    assert spool.missing() == [0, 1, 2, 3]


def crash_after(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Let the process die right after a step of `finish`."""

    def dying(real: Callable, dies: Callable[..., bool]) -> Callable:
        def call(*args):
            made = real(*args)
            if dies(*args):
                raise Crash
            return made

        return call

    if step in ("failures.jsonl", "manifest.json"):
        monkeypatch.setattr(module.atomic, "write", dying(module.atomic.write, lambda path, _data: path.name == step))
    elif step.startswith("edits-"):
        monkeypatch.setattr(module.shards, "write_shard", dying(shards.write_shard, lambda path, _samples: path.name == step))
    else:
        monkeypatch.setattr(Spool, "seal", dying(Spool.seal, lambda _spool, shard: step == f"seal {shard}"))


STEPS = ("edits-00000.tar", "seal 0", "failures.jsonl", "edits-00001.tar", "seal 1", "seal 2", "manifest.json")


@pytest.mark.parametrize("cut", [False, True], ids=["", "spool cut"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("first", "bad"), [((), ("c",)), (("a", "c", "e"), ("c",)), (("a", "c", "e"), ()), (("a", "b"), ())])
def test_a_crash_at_the_end_loses_nothing(
    spool: Spool,
    undisturbed: Callable,
    monkeypatch: pytest.MonkeyPatch,
    first: Collection[str],
    bad: Collection[str],
    step: str,
    cut: bool,
) -> None:
    if first:
        work(spool, bad=first)
        spool.paths.manifest.unlink()
        spool = start(spool.paths.root)
    for place in spool.missing():  # and no shard is sealed before the end
        fail(spool, KEYS[place]) if KEYS[place] in bad else put(spool, KEYS[place])
    with monkeypatch.context() as patch:
        crash_after(patch, step)
        try:
            spool.finish(*ABOUT)
        except Crash:
            for path in spool.paths.spool.glob("*.tar") if cut else ():
                path.write_bytes(path.read_bytes()[:2048])
    spool.paths.manifest.unlink(missing_ok=True)
    work(start(spool.paths.root), bad)
    assert digests(spool) == undisturbed(bad)
