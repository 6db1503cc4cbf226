from __future__ import annotations

import shutil
import sys
from pathlib import Path

import orjson
import pytest
from huggingface_hub import constants

from editbench import models
from editbench.errors import UserError
from editbench.models import Kind

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, whose modules are forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    return tmp_path


@pytest.fixture
def checkpoint(here: Path) -> Path:
    folder = here / "runs" / "step-1"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the hub's library keeps of a model that was downloaded but for some of its files, and no connection."""
    repository = tmp_path / "hub" / "models--Org--Name"
    snapshot = repository / "snapshots" / COMMIT
    for path, text in {
        snapshot / "config.json": "{}",
        snapshot / "model.safetensors": "weights",
        repository / "refs" / "main": COMMIT,
        repository / "refs" / "v2": COMMIT,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    files = {name: {"size": 1, "blob_id": "0" * 40} for name in ("config.json", "model.safetensors", "model.onnx")}
    (repository / "trees").mkdir()
    (repository / "trees" / f"{COMMIT}.json").write_bytes(orjson.dumps({"format_version": 1, "files": files}))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return snapshot


@pytest.fixture
def no_connection(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", NOWHERE)


def refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        models.resolve(name, controls=("copy",))


def test_a_control_is_one_where_it_is_known(here: Path) -> None:
    model = models.resolve("copy", controls=("copy",))
    assert (model.kind, model.location, model.identity) == (Kind.CONTROL, "copy", {"kind": "control", "name": "copy"})
    with pytest.raises(UserError, match="no model copy"):
        models.resolve("copy")


def test_a_folder_is_known_by_its_name_and_contents_not_by_its_place(checkpoint: Path, here: Path) -> None:
    model = models.resolve("runs/step-1")
    assert (model.kind, model.name, model.location) == (Kind.FOLDER, "step-1", str(checkpoint))
    moved = shutil.move(checkpoint, here / "moved" / "step-1")
    assert models.resolve(str(moved)).identity == model.identity
    assert models.resolve(str(shutil.move(moved, here / "step-2"))).identity != model.identity


@pytest.mark.parametrize("size", [100, 5 << 20])
def test_a_weight_that_changes_is_another_model(checkpoint: Path, size: int) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(bytes(size))
    before = models.digest(checkpoint)
    for place in (0, size - 1):
        weights.write_bytes(bytes(place) + b"\1" + bytes(size - place - 1))
        assert models.digest(checkpoint) != before


def test_a_renamed_a_missing_and_a_further_file_make_another_model_and_hidden_ones_do_not(checkpoint: Path) -> None:
    before = models.digest(checkpoint)
    (checkpoint / ".git").mkdir()
    (checkpoint / ".git" / "HEAD").touch()
    assert models.digest(checkpoint) == before
    (checkpoint / "config.json").rename(checkpoint / "other.json")
    assert models.digest(checkpoint) != before


def test_an_empty_folder_is_refused(here: Path) -> None:
    (here / "empty").mkdir()
    refused("empty", "model folder empty is empty")


def test_a_file_is_no_model(here: Path) -> None:
    (here / "checkpoints").mkdir()
    (here / "checkpoints" / "step-4000").touch()
    with pytest.raises(UserError, match="checkpoints/step-4000 is a file, and a model is a folder"):
        models.resolve("checkpoints/step-4000")


def test_a_class_is_found_beside_the_user_and_known_by_its_source(here: Path) -> None:
    (here / "my_editors.py").write_text("class Mirror: ...")
    model = models.resolve("my_editors:Mirror")
    assert (model.kind, model.location) == (Kind.CLASS, "my_editors:Mirror")
    (here / "my_editors.py").write_text("class Mirror: pass")
    assert models.resolve("my_editors:Mirror").identity != model.identity


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Editor", "no module no_such_module"),
        ("no_such_package.editors:Editor", "No module named 'no_such_package'"),
        ("beside:Missing", "has no Missing"),
        ("sys:path", "no module sys"),
        ("folder:Editor", "no module folder"),
        ("__main__:Editor", "__main__"),
    ],
)
def test_a_class_that_is_not_there_is_refused(here: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    (here / "beside.py").write_text("class Editor: ...")
    (here / "folder").mkdir()
    refused(name, message)


def test_a_cached_hub_id_is_pinned_to_its_commit_and_fetched_from_the_cache(cache: Path) -> None:
    model = models.resolve("Org/Name")
    assert model.identity == {"kind": "hub", "name": "Org/Name", "revision": COMMIT}
    fetched = models.fetch(model, ["*.json", "*.safetensors"])
    assert (fetched.location, fetched.identity) == (str(cache), model.identity)


def test_a_hub_id_has_a_revision_behind_an_at_sign(cache: Path) -> None:
    for revision in ("v2", COMMIT):
        model = models.fetch(models.resolve(f"Org/Name@{revision}"), ["*.json"])
        assert (model.name, model.location, model.identity["revision"]) == ("Org/Name", str(cache), COMMIT)
    refused("Org/Name@v3", "neither a folder here nor in the cache")


def test_what_is_cached_serves_when_the_hub_does_not_answer(no_connection: None, cache: Path) -> None:
    model = models.resolve("Org/Name")
    assert models.fetch(model, ["*.json", "*.safetensors"]).location == str(cache)


def test_a_download_that_fails_is_said(no_connection: None) -> None:
    model = models.resolve("Org/Name")
    with pytest.raises(UserError, match="could not download Org/Name"):
        models.fetch(model, ["*.onnx"])


def test_an_unknown_hub_id_without_a_connection_is_refused(no_connection: None) -> None:
    refused("Org/Unknown", "neither a folder here nor in the cache, and the hub does not answer")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no model"),
        ("copycat", "no model copycat"),
        ("./missing", "no such folder"),
        ("/missing/checkpoint", "no such folder"),
        ("a/b/c", "no such folder"),
        ("a b", "no such folder"),
        ("x" * 300, "no such folder"),
        ("Org/two--dashes", "nor a hub id"),
        ("-Org/Name", "nor a hub id"),
    ],
)
def test_what_can_name_no_model_is_refused(cache: Path, here: Path, name: str, message: str) -> None:
    refused(name, message)


def test_only_a_hub_id_is_fetched(checkpoint: Path) -> None:
    model = models.resolve(str(checkpoint))
    assert models.fetch(model, ["*"]) is model


def test_whole_weights_pass(checkpoint: Path) -> None:
    models.check_weights(checkpoint)
    (checkpoint / "model.safetensors.index.json").write_bytes(orjson.dumps({"weight_map": {"a": "model.safetensors"}}))
    models.check_weights(checkpoint)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (
            {"weight_map": {"a": "model.safetensors", "b": "x-2.safetensors", "c": "x-3.safetensors"}},
            "x-2.safetensors and 1 more",
        ),
        ({"weight_map": []}, r"index\.json"),
        ({}, r"index\.json"),
        (b"{", r"index\.json"),
    ],
)
def test_weights_that_are_not_as_their_index_says_are_refused(checkpoint: Path, index: dict | bytes, message: str) -> None:
    data = index if isinstance(index, bytes) else orjson.dumps(index)
    (checkpoint / "model.safetensors.index.json").write_bytes(data)
    with pytest.raises(UserError, match=message):
        models.check_weights(checkpoint)


def test_no_weights_are_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(UserError, match="has no weights"):
        models.check_weights(checkpoint)
    (checkpoint / "pytorch_model.bin.index.json").write_bytes(orjson.dumps({"weight_map": {"a": "pytorch_model-1.bin"}}))
    with pytest.raises(UserError, match=r"lacks pytorch_model-1\.bin"):
        models.check_weights(checkpoint)


def test_old_weights_that_were_left_out_of_a_download_are_not_missed(checkpoint: Path) -> None:
    (checkpoint / "pytorch_model.bin.index.json").write_bytes(orjson.dumps({"weight_map": {"a": "pytorch_model-1.bin"}}))
    models.check_weights(checkpoint)
