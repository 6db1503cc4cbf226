"""The logic, on fsspec's store in memory; `machine` goes from one computer's cache to another's."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import orjson
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from editbench import cli, files, remote
from editbench.benchmarks.benchmark import Benchmark, write_benchmark
from editbench.edits import Edits
from editbench.errors import Incomplete, UserError
from editbench.fleet.run_options import RunOptions
from editbench.paths import BenchmarkPaths, EditPaths, ScorePaths
from editbench.records import Sample
from editbench.remote.store import Store
from editbench.report.records import runs
from editbench.score.settings import ScoreSettings
from editbench.score.stage import ScoreStage
from editbench.verify.stage import verify

Go = Callable[[str], None]
MANIFEST, IDENTITY = ScorePaths(Path()).manifest.name, ScorePaths(Path()).identity.name


@pytest.fixture
def url(tmp_path: Path, machine: Go) -> str:
    return f"memory://{tmp_path}/run"


def upload(folder: Path, url: str) -> Path:
    root = remote.folder(url)
    with remote.pushing(root):
        shutil.copytree(folder, root, dirs_exist_ok=True)
    return root


def there(url: str) -> dict[str, bytes]:
    """What lies in the store."""
    files, root = fsspec.core.url_to_fs(url)
    return {path.removeprefix(f"{root}/"): files.cat_file(path) for path in files.find(root)}


def here(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def put(url: str, name: str, data: bytes) -> None:
    files, root = fsspec.core.url_to_fs(url)
    files.pipe_file(f"{root}/{name}", data)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are uploaded, in that order; the one that the list begins with fails."""
    names: list[str] = []
    real = Store.put

    def spied(store: Store, local: Path, name: str) -> None:
        if names[:1] == [name]:
            raise UserError(f"can't write {name}")
        names.append(name)
        real(store, local, name)

    monkeypatch.setattr(Store, "put", spied)
    return names


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are downloaded."""
    names: list[str] = []
    real = Store.read
    monkeypatch.setattr(Store, "read", lambda store, name, *span: names.append(name) or real(store, name, *span))
    return names


def other(root: Path, colours: tuple[str, ...]) -> None:
    samples = [Sample(key=key, id=key, instruction=key, category="c", group=key) for key in colours]
    picture = (Path(__file__).parents[2] / "tests/remote/__init__.py").read_bytes()
    write_benchmark(root, "other", ((sample, {"source.png": picture + sample.key.encode()}) for sample in samples))


def test_what_one_machine_has_made_another_reads(folders: Path, url: str, machine: Go) -> None:
    for name in ("bench", "edits", "scores"):
        upload(folders / name, f"{url}/{name}")
    machine("bert")
    bench, edits, scores = (remote.folder(f"{url}/{name}") for name in ("bench", "edits", "scores"))
    assert len(Benchmark.open(bench).samples) == len(Edits.open(edits).entries) == 5
    assert runs.load(scores).rows is not None
    verify([bench, edits, scores])
    with pytest.raises(UserError, match="on this machine"):
        verify([edits], repair=True)
    assert here(bench) == here(folders / "bench")
    assert here(edits) == here(folders / "edits")


def test_what_has_come_is_not_fetched_again(folders: Path, url: str, machine: Go, read: list[str]) -> None:
    upload(folders / "edits", url)
    machine("bert")
    root = remote.folder(url)
    remote.pull(root)
    assert read.count(EditPaths(root).shard(0).name) == 1
    read.clear()
    remote.pull(root)
    assert read == [MANIFEST]


def test_the_manifest_goes_last_and_the_identity_first(folders: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: list[str] = []
    real, seconds = Store.put, {IDENTITY: 0.2, MANIFEST: 0.0}

    def slow(store: Store, local: Path, name: str) -> None:
        time.sleep(seconds.get(name, 0.1))
        real(store, local, name)
        whole.append(name)

    monkeypatch.setattr(Store, "put", slow)
    upload(folders / "scores", url)
    assert (whole[0], whole[-1]) == (IDENTITY, MANIFEST)


def test_an_upload_that_fails_leaves_no_manifest_and_goes_on(folders: Path, url: str, written: list[str]) -> None:
    shard = EditPaths(Path()).shard(1).name
    written.append(shard)
    with pytest.raises(UserError, match="can't write"):
        upload(folders / "edits", url)
    done = set(written[1:])
    assert MANIFEST not in there(url)
    written.clear()
    with remote.pushing(remote.folder(url)):
        pass
    assert shard in written
    assert not done & set(written)
    assert there(url) == here(folders / "edits")


def test_what_is_uploaded_already_is_not_uploaded_again(folders: Path, url: str, written: list[str]) -> None:
    root = upload(folders / "edits", url)
    written.clear()
    with remote.pushing(root):
        pass
    assert written == []


def test_a_store_that_was_emptied_is_filled_again(folders: Path, url: str) -> None:
    root = upload(folders / "scores", url)
    files, path = fsspec.core.url_to_fs(url)
    files.rm(path, recursive=True)
    with remote.pushing(root):
        pass
    assert there(url) == here(folders / "scores")


def test_a_finished_run_that_is_opened_again_loses_its_manifest_first(folders: Path, url: str, machine: Go) -> None:
    root = upload(folders / "scores", url)
    put(url, "chunks/00000.jsonl", b"{}\n")  # as a run leaves it that is killed right after its manifest
    with remote.pushing(root) as reopen:
        reopen()
        assert {MANIFEST, "chunks/00000.jsonl"} & there(url).keys() == set()
    machine("bert")
    with contextlib.suppress(ZeroDivisionError), remote.pushing(remote.folder(url)) as reopen:
        reopen()
        raise ZeroDivisionError  # as a run that is killed here
    machine("anna")
    remote.pull(root, finished=False)
    assert not ScorePaths(root).manifest.exists()  # what made it so is not finished


def test_a_listing_in_between_does_not_disturb_the_removal_of_chunks(
    folders: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, remove = remote._mirror(upload(folders / "scores", url)), Store.remove
    put(url, "chunks/00000.jsonl", b"{}\n")

    def and_list(store: Store, name: str) -> None:  # as `follow` may in its thread
        remove(store, name)
        mirror.look()

    monkeypatch.setattr(Store, "remove", and_list)
    with mirror.locked(wait=False):
        mirror.look()
        mirror.reopen()
    assert "chunks/00000.jsonl" not in there(url)


def test_chunks_go_along_until_their_rows_do(folders: Path, url: str, machine: Go) -> None:
    root = remote.folder(url)
    scores, chunk = ScorePaths(root), ScorePaths(root).chunk(3)
    with remote.pushing(root):
        shutil.copytree(folders / "scores", root, dirs_exist_ok=True)
        data = scores.manifest.read_bytes()
        scores.manifest.unlink()
        chunk.parent.mkdir()
        chunk.write_bytes(b"{}\n")
    machine("bert")
    root = remote.folder(url)
    remote.pull(root, finished=False)
    assert ScorePaths(root).chunk(3).read_bytes() == b"{}\n"
    with remote.pushing(root):
        shutil.rmtree(ScorePaths(root).chunks)
        ScorePaths(root).manifest.write_bytes(data)
    assert there(url) == here(folders / "scores")


def test_a_folder_made_again_elsewhere_replaces_the_copy(folders: Path, url: str, machine: Go, tmp_path: Path) -> None:
    old = upload(folders / "bench", url)
    other(tmp_path / "other", ("one", "two"))
    for name, data in here(tmp_path / "other").items():
        put(url, name, data)
    remote.pull(old)
    assert here(old) == here(tmp_path / "other")


def test_a_file_of_the_copy_that_was_changed_is_fetched_again(folders: Path, url: str) -> None:
    root = upload(folders / "bench", url)
    shard = BenchmarkPaths(root).shard(0)
    shard.write_bytes(b"x" * shard.stat().st_size)
    remote.pull(root)
    assert here(root) == here(folders / "bench")


def test_what_is_missing_in_the_store_is_named(folders: Path, url: str, machine: Go) -> None:
    upload(folders / "edits", url)
    files, path = fsspec.core.url_to_fs(url)
    files.rm_file(f"{path}/edits-00001.tar")
    machine("bert")
    with pytest.raises(UserError, match=r"lacks edits-00001\.tar"):
        Edits.open(remote.folder(url))
    files.rm_file(f"{path}/{MANIFEST}")
    with pytest.raises(UserError, match=r"has no manifest\.json: nothing finished"):
        Edits.open(remote.folder(url))


def test_names_from_the_store_lead_nowhere_else(folders: Path, url: str, machine: Go) -> None:
    upload(folders / "bench", url)
    manifest = orjson.loads(there(url)[MANIFEST])
    manifest["shards"][0]["name"] = "../../bench-00000.tar"
    put(url, MANIFEST, orjson.dumps(manifest))
    put(url, ".bashrc", b"hostile")
    machine("bert")
    with pytest.raises(UserError, match="its shards are not numbered from 0"):
        remote.pull(remote.folder(url))
    assert not list(remote.folder(url).parent.parent.rglob("*.tar"))
    assert not list(remote.folder(url).parent.parent.rglob(".bashrc"))


def test_a_store_that_gives_no_ranges_is_read_whole(
    folders: Path, url: str, machine: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(folders / "bench", url)
    machine("bert")
    monkeypatch.setattr("editbench.remote.mirror.BLOCK", 1000)
    real = Store.read
    monkeypatch.setattr(Store, "read", lambda store, name, *_: real(store, name, 0, 10**9))
    remote.pull(remote.folder(url))
    assert here(remote.folder(url)) == here(folders / "bench")


def test_files_of_others_are_left_alone(folders: Path, url: str) -> None:
    put(url, "thesis.pdf", b"years of work")
    with pytest.raises(UserError, match="holds files, but none of editbench"):
        upload(folders / "bench", url)
    assert there(url) == {"thesis.pdf": b"years of work"}


def test_a_new_repository_of_a_hub_is_empty(folders: Path, url: str) -> None:
    put(url, ".gitattributes", b"*.tar filter=lfs")
    upload(folders / "bench", url)
    assert MANIFEST in there(url)


def test_starting_over_deletes_nothing_in_the_store(folders: Path, url: str) -> None:
    root, before = upload(folders / "edits", url), there(url)
    with pytest.raises(UserError, match="is not empty"), remote.pushing(root, fresh=True):
        pass
    assert there(url) == before


def test_a_run_that_lacks_samples_is_uploaded_too(folders: Path, url: str) -> None:
    def run() -> None:
        with remote.pushing(remote.folder(url)):
            shutil.copytree(folders / "edits", remote.folder(url))
            Edits.open(remote.folder(url))  # which does not wait for the block that it is in
            raise Incomplete("1 of 5 samples has no edit")

    with pytest.raises(Incomplete):
        run()
    assert there(url) == here(folders / "edits")


def test_a_run_goes_on_elsewhere_in_the_batches_that_it_was_begun_with(folders: Path, url: str, machine: Go) -> None:
    def planned(**settings: int) -> ScoreStage:
        asked = ScoreSettings(**settings)
        return ScoreStage.plan(folders / "edits", "stand_ins:Scorer", "five", remote.folder(url), asked, RunOptions())

    begun = planned(batch_size=3)
    with remote.pushing(begun.paths.root):
        begun.paths.root.mkdir(parents=True)
        files.dump(begun.paths.identity, begun.identity)
    machine("bert")
    assert planned().identity == begun.identity


def test_two_runs_on_one_url_are_refused(url: str) -> None:
    root = remote.folder(url)
    with remote.pushing(root), pytest.raises(UserError, match="another command is at work"), remote.pushing(root):
        pass


def test_a_disk_that_can_not_hold_it_is_told_before(
    folders: Path, url: str, machine: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(folders / "bench", url)
    machine("bert")
    full = shutil.disk_usage(folders)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(UserError, match="lacks; 10 bytes are free"):
        remote.pull(remote.folder(url))


def test_files_of_a_computer_are_a_store_too(folders: Path, tmp_path: Path, machine: Go) -> None:
    root = upload(folders / "edits", f"file://{tmp_path}/there")
    assert here(tmp_path / "there") == here(root) == here(folders / "edits")


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setattr(sys.modules["fsspec.registry"], "_registry", {})  # what was imported before
    with pytest.raises(UserError, match="Install s3fs") as error:
        remote.folder("s3://bucket/edits")
    assert error.value.remedy == "pip install 'editbench[s3]'"
    with pytest.raises(UserError, match="no store is known for floppy://"):
        remote.folder("floppy://a/edits")


class Refused(Exception):
    """As stores' packages have errors of their own."""


@pytest.mark.parametrize(("raised", "told"), [(Refused, UserError), (PermissionError, UserError), (KeyError, KeyError)])
def test_what_a_store_says_is_told_and_a_bug_is_not_passed_off_as_it(
    url: str, monkeypatch: pytest.MonkeyPatch, raised: type[Exception], told: type[Exception]
) -> None:
    def ls(*_: object, **__: object) -> None:
        raise raised("anna:secret@host")

    monkeypatch.setattr(MemoryFileSystem, "ls", ls)
    with pytest.raises(told, match="can't list memory://" if told is UserError else "secret"):
        remote.pull(remote.folder(url))


def test_a_url_where_only_a_path_will_do_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["editbench", "watch", "s3://bucket/edits"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "it is a URL" in capsys.readouterr().err
