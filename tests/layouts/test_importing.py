"""Pictures made elsewhere become edits like any others."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from editbench import identity, images
from editbench.benchmarks.rows import keys_of
from editbench.edits import Edits
from editbench.errors import IdentityError, Incomplete, UserError
from editbench.layouts import folder
from editbench.layouts.exporting import export
from editbench.layouts.importing import import_edits
from editbench.layouts.matches import nearest
from editbench.paths import EditPaths
from editbench.verify.stage import verify

from .small import PATHS, fill, picture, write_bench

THREE = {"cat.png": picture("red"), "dog.png": picture("green"), "emu.png": picture("blue")}


def edited(root: Path) -> dict[str, tuple[str, bytes]]:
    """By id, the member that each edit is, and its bytes."""
    stored = {entry.sample.id: entry.stored for entry in Edits.open(root).entries if entry.stored}
    return {name: (each.edited, each.read(each.edited)) for name, each in stored.items()}


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def load(bench: Path, pictures: Path, out: Path, *, layout: str = "files", **options) -> None:
    import_edits(bench, pictures, layout=layout, name="their-model", out=out, **options)


def test_pictures_are_looked_for_where_the_public_scripts_keep_them(bench: Path, layout: str, tmp_path: Path) -> None:
    sent = {name: picture(number, "JPEG" if layout == "kris" else "PNG") for number, name in enumerate(PATHS[layout].values())}
    load(bench, fill(tmp_path / "sent", sent), tmp_path / "edits", layout=layout)
    suffix = "jpg" if layout == "kris" else "png"
    assert edited(tmp_path / "edits") == {
        name: (f"edited.{suffix}", sent[path]) for (name, _, _), path in PATHS[layout].items()
    }
    verify([tmp_path / "edits"])


def test_what_is_exported_comes_back_as_it_was(bench: Path, layout: str, tmp_path: Path) -> None:
    kind = "JPEG" if layout == "kris" else "PNG"
    sent = {name: picture(number, kind) for number, name in enumerate(PATHS[layout].values())}
    load(bench, fill(tmp_path / "sent", sent), tmp_path / "one", layout=layout)
    export(tmp_path / "one", layout=layout, out=tmp_path / "exported")
    load(bench, tmp_path / "exported", tmp_path / "two", layout=layout)
    assert edited(tmp_path / "two") == edited(tmp_path / "one")
    names = EditPaths(Path())
    assert {name: data for name, data in contents(tmp_path / "two").items() if name != names.environment.name} == {
        name: data for name, data in contents(tmp_path / "one").items() if name != names.environment.name
    }


def test_the_folder_says_that_its_edits_were_imported_and_from_whom(three: Path, tmp_path: Path) -> None:
    load(three, fill(tmp_path / "sent", THREE), tmp_path / "edits")
    edits = Edits.open(tmp_path / "edits")
    record = edits.entries[0].stored.record()["edit"]
    assert record == {"model": "their-model", "provenance": "imported", "size": [12, 8], "flags": ["uniform"]}
    told = identity.load(EditPaths(tmp_path / "edits").identity)
    assert (told["stage"], told["model"]["kind"], told["model"]["name"]) == ("edit", "imported", "their-model")
    assert edits.manifest.model.digest == told["model"]["digest"]


@pytest.mark.parametrize(
    ("file", "kind", "member"),
    [
        ("cat.png", "PNG", "edited.png"),
        ("cat.jpg", "JPEG", "edited.jpg"),
        ("cat.JPEG", "JPEG", "edited.jpg"),
        ("cat.webp", "WEBP", "edited.webp"),
        ("cat.png", "JPEG", "edited.jpg"),  # what it is counts, not how it is called
    ],
)
def test_bytes_of_png_jpeg_and_webp_are_kept_at_any_size(
    three: Path, file: str, kind: str, member: str, tmp_path: Path
) -> None:
    data = picture("red", kind, (31, 7))
    load(three, fill(tmp_path / "sent", {**_others(), file: data}), tmp_path / "edits")
    assert edited(tmp_path / "edits")["cat"] == (member, data)


def _others() -> dict[str, bytes]:
    return {name: data for name, data in THREE.items() if name != "cat.png"}


def test_other_pictures_become_png_without_loss(three: Path, tmp_path: Path) -> None:
    data = picture("red", "BMP")
    load(three, fill(tmp_path / "sent", {**_others(), "cat.bmp": data}), tmp_path / "edits")
    member, after = edited(tmp_path / "edits")["cat"]
    assert member == "edited.png"
    assert images.decode(after, "").tobytes() == images.decode(data, "").tobytes()


def test_a_sample_without_a_picture_is_a_failure_and_the_others_are_imported(three: Path, tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match="1 of 3 samples without an edit"):
        load(three, fill(tmp_path / "sent", _others()), tmp_path / "edits")
    (failure,) = [json.loads(line) for line in EditPaths(tmp_path / "edits").failures.read_text().splitlines()]
    assert (failure["id"], failure["reason"], failure["error"]) == ("cat", "missing", "no picture cat.png")
    assert [entry.stored is None for entry in Edits.open(tmp_path / "edits").entries] == [True, False, False]
    verify([tmp_path / "edits"])


def test_failures_can_be_allowed(three: Path, tmp_path: Path) -> None:
    load(three, fill(tmp_path / "sent", _others()), tmp_path / "edits", max_failures="34%")
    with pytest.raises(UserError, match="neither a number nor a percentage"):
        load(three, tmp_path / "sent", tmp_path / "edits", max_failures="some")


def test_a_broken_picture_is_a_failure_that_says_why(three: Path, tmp_path: Path) -> None:
    load(three, fill(tmp_path / "sent", {**THREE, "cat.png": THREE["cat.png"][:40]}), tmp_path / "edits", max_failures="1")
    (failure,) = [json.loads(line) for line in EditPaths(tmp_path / "edits").failures.read_text().splitlines()]
    assert failure["reason"] == "bad_input"
    assert "cat.png" in failure["error"]


def test_a_wrong_name_is_told_with_the_nearest_that_is_missing(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = {**_others(), "catt.png": picture("red"), "notes.txt": b"", ".cat.png": b""}
    load(three, fill(tmp_path / "sent", sent), tmp_path / "edits", max_failures="1")
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [f"warning: {tmp_path}/sent: no sample is called catt.png; the nearest that is missing: cat.png"]


def test_the_nearest_of_many_names_is_the_one_with_a_letter_changed() -> None:
    names = [f"fullset/subject-add/en/{number:032x}" for number in range(2000)]
    assert nearest("fullset/subject_add/en/0000000000000000000000000000x123", names) == names[0x123]
    assert nearest("cat", names) is None


def test_a_folder_that_can_not_be_read_is_no_folder_of_missing_pictures(three: Path, tmp_path: Path, monkeypatch) -> None:
    def walk(root: Path, onerror) -> list:
        onerror(PermissionError(13, "Permission denied", str(root)))
        return []

    monkeypatch.setattr(folder.os, "walk", walk)
    with pytest.raises(UserError, match=r"can't read \S*sent: Permission denied"):
        load(three, fill(tmp_path / "sent", THREE), tmp_path / "edits")


def test_sources_that_lie_beside_the_edits_are_no_strays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = write_bench(tmp_path / "bench", [*PATHS["gedit"]])
    sent = {name: picture("red") for path in PATHS["gedit"].values() for name in (path, f"{path[:-4]}_SRCIMG.png")}
    load(bench, fill(tmp_path / "sent", sent), tmp_path / "edits", layout="gedit")
    assert capsys.readouterr().err == ""


def test_pictures_of_something_else_are_refused_and_nothing_is_written(three: Path, tmp_path: Path) -> None:
    fill(tmp_path / "sent", {"fullset/a/en/cat.png": picture("red")})
    with pytest.raises(UserError, match=r"no picture of any sample: cat\.png was looked for; there is fullset/a/en/cat\.png"):
        load(three, tmp_path / "sent", tmp_path / "edits")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench", "sent"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "tar"}, "no layout tar"),
        ({"name": " "}, "--name is empty"),
        ({"pictures": "nowhere"}, "no folder of pictures"),
    ],
)
def test_what_can_not_be_is_refused(three: Path, options: dict, message: str, tmp_path: Path) -> None:
    fill(tmp_path / "sent", THREE)
    about = {"layout": "files", "name": "m", "pictures": "sent", **options}
    with pytest.raises(UserError, match=message):
        import_edits(three, tmp_path / about.pop("pictures"), out=tmp_path / "edits", **about)


def test_the_same_pictures_again_touch_nothing_and_others_are_refused(three: Path, tmp_path: Path) -> None:
    sent, out = fill(tmp_path / "sent", THREE), tmp_path / "edits"
    load(three, sent, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    load(three, sent, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    fill(sent, {"cat.png": picture("white")})
    with pytest.raises(IdentityError) as caught:
        load(three, sent, out)
    assert [name for name, _, _ in caught.value.differences] == ["model.digest"]


def test_starting_over_keeps_what_was_there(three: Path, tmp_path: Path) -> None:
    sent, out = fill(tmp_path / "sent", THREE), tmp_path / "edits"
    load(three, sent, out)
    before = contents(out)
    fill(sent, {"cat.png": picture("white")})
    load(three, sent, out, fresh=True)
    load(three, sent, out, fresh=True)
    assert edited(out)["cat"][1] == picture("white")
    assert contents(tmp_path / "edits.old-1") == before
    assert edited(tmp_path / "edits.old-2") == edited(out)


def test_a_folder_that_is_no_longer_whole_is_made_again(three: Path, tmp_path: Path) -> None:
    sent, out = fill(tmp_path / "sent", THREE), tmp_path / "edits"
    load(three, sent, out)
    EditPaths(out).manifest.rename(out / "manifest.json.damaged")
    load(three, sent, out)
    verify([out])
    assert (tmp_path / "edits.old-1/manifest.json.damaged").exists()


def test_a_folder_that_a_run_is_at_work_in_is_left_alone(three: Path, tmp_path: Path) -> None:
    sent, out = fill(tmp_path / "sent", THREE), tmp_path / "edits"
    load(three, sent, out)
    with open(EditPaths(out).lock, "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another run is at work in"):
            load(three, sent, out, fresh=True)
    load(three, sent, out, fresh=True)


def test_a_folder_of_other_things_is_left_alone(three: Path, tmp_path: Path) -> None:
    fill(tmp_path / "edits", {"precious.txt": b"mine"})
    for fresh in (False, True):
        with pytest.raises(UserError, match="not empty and holds no edits"):
            load(three, fill(tmp_path / "sent", THREE), tmp_path / "edits", fresh=fresh)
    assert contents(tmp_path / "edits") == {"precious.txt": b"mine"}


@pytest.mark.parametrize("name", ["../precious", "/etc/passwd", "a/../../b", "a\\b", "a\0b", "a\nb", "x" * 300, "..", ""])
@pytest.mark.parametrize("layout", ["imgedit", "gedit", "kris", "rise"])
def test_hostile_names_are_refused(layout: str, name: str, tmp_path: Path) -> None:
    # An id's last part is its name; a category is part of the path as it is.
    bench = write_bench(tmp_path / "bench", [(name or " ", name, "en")] if layout != "imgedit" else [(name, "a", "en")])
    with pytest.raises(UserError, match="can be no path of a file"):
        load(bench, fill(tmp_path / "sent", THREE), tmp_path / "edits", layout=layout)


@pytest.mark.parametrize("name", ["../precious", "/etc/passwd", "a\\b", "雪/猫", "v1.png"])
def test_plain_files_take_any_benchmark_by_its_keys(name: str, tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "bench", [(name, "../../c", "en")])
    (key,) = keys_of([name])
    load(bench, fill(tmp_path / "sent", {f"{key}.png": picture("red")}), tmp_path / "edits")
    assert edited(tmp_path / "edits")[name][1] == picture("red")


@pytest.mark.parametrize(("name", "file"), [("雪/猫", "雪/猫.png"), ("v1.png", "v1.png"), ("a b", "a b.jpg")])
def test_plain_files_may_be_called_by_the_id(name: str, file: str, tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "bench", [(name, "c", "en")])
    load(bench, fill(tmp_path / "sent", {file: picture("red")}), tmp_path / "edits")
    assert edited(tmp_path / "edits")[name][1] == picture("red")


def test_an_id_with_a_dot_is_no_file_name(tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "bench", [("a.1", "c", "en"), ("b", "c", "en")])
    sent = fill(tmp_path / "sent", {"a.png": picture("red"), "b.png": picture("blue")})
    load(bench, sent, tmp_path / "edits", max_failures="1")
    assert [*edited(tmp_path / "edits")] == ["b"]


def test_samples_that_would_share_a_file_are_refused(tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "bench", [("one/A", "c", "en"), ("two/a", "c", "en")])
    with pytest.raises(UserError, match="samples one/A and two/a would both lie at c/a"):
        load(bench, fill(tmp_path / "sent", THREE), tmp_path / "edits", layout="kris")


def test_an_import_that_is_killed_leaves_nothing_and_the_next_one_sweeps(three: Path, tmp_path: Path) -> None:
    fill(tmp_path / "sent", {"cat.png": THREE["cat.png"], "dog.png": THREE["dog.png"]})
    # The third sample's failure is the last thing that is written before the manifest: stop there.
    code = (
        "import os, signal, sys; from pathlib import Path; from editbench.edit.spool import Spool;"
        "Spool.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "from editbench.layouts.importing import import_edits;"
        "import_edits(Path('bench'), Path('sent'), layout='files', name='their-model', out=Path('edits'))"
    )
    died = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert died.returncode == -signal.SIGKILL
    assert not (tmp_path / "edits").exists()
    assert any(path.name.startswith(".edits.") for path in tmp_path.iterdir())
    load(three, tmp_path / "sent", tmp_path / "edits", max_failures="1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench", "edits", "sent"]


def test_a_picture_that_changes_meanwhile_is_refused(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from editbench.layouts import importing

    sent = fill(tmp_path / "sent", THREE)
    write = importing._Import.publish

    def changed(self, out: Path, *, fresh: bool):
        fill(sent, {"dog.png": picture("white")})
        return write(self, out, fresh=fresh)

    monkeypatch.setattr(importing._Import, "publish", changed)
    with pytest.raises(UserError, match=r"dog\.png changed while it was imported"):
        load(three, sent, tmp_path / "edits")
    assert not (tmp_path / "edits").exists()
