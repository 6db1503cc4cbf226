"""Models from a hub, through its own client, over HTTP: what is downloaded, when, and what is said where it can't be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from local_hub import Hub
from processes import Command
from safetensors.numpy import save_file

from editbench.paths import EditPaths, TinyPaths

WEIGHTS = {f"{folder}/diffusion_pytorch_model.safetensors" for folder in ("transformer", "vae")} | {
    "text_encoder/model.safetensors"
}


@pytest.fixture
def hub(checkpoints: TinyPaths, tmp_path: Path) -> Iterator[Hub]:
    """With the tiny checkpoints as org/editor and org/judge."""
    for folder in (checkpoints.editor, checkpoints.judge):
        shutil.copytree(folder, tmp_path / "hub" / "org" / folder.name)
    with Hub(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
def out(tmp_path: Path) -> EditPaths:
    return EditPaths(tmp_path / "edits")


def edit(
    hub: Hub, benchmark: Path, out: EditPaths, *options: str, model: str = "org/editor", **environment: str
) -> tuple[int, str]:
    settings = ("--steps", "1", "--size", "4096", "--limit", "2", "--progress", "off")
    arguments = ["edit", str(benchmark), "--model", model, "--out", str(out.root), *settings, *options]
    cache = {"HF_HOME": str(out.root.parent / "cache"), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return Command(arguments, {**cache, **environment}).run()


def test_all_ranks_share_one_download_and_a_dry_run_agrees_with_it(hub: Hub, benchmark: Path, out: EditPaths) -> None:
    status, said = edit(hub, benchmark, out, "--dry-run")
    assert status == 0, said
    assert "true CFG" in said
    assert "at its peak" in said
    assert not WEIGHTS & hub.sent.keys()
    status, said = edit(hub, benchmark, out, "--nproc", "2")
    assert status == 0, said
    assert {hub.sent[path] for path in WEIGHTS} == {1}
    status, said = edit(hub, benchmark, out, "--dry-run")
    assert (status, "│ 0 " in said) == (0, True), said


def test_what_was_downloaded_is_used_while_the_hub_is_down_or_there_is_no_network(
    hub: Hub, benchmark: Path, out: EditPaths
) -> None:
    assert edit(hub, benchmark, out)[0] == 0
    hub.faults.add("down")
    assert edit(hub, benchmark, out, "--dry-run")[0] == 0
    hub.sent.clear()
    status, said = edit(hub, benchmark, EditPaths(out.root.with_name("offline")), "--limit", "1", HF_HUB_OFFLINE="1")
    assert (status, hub.sent) == (0, {}), said


@pytest.fixture
def lora(hub: Hub) -> str:
    """A repository of two LoRAs of the editor."""
    (hub.folder / "org/loras").mkdir()
    layer, draw = "transformer.transformer_blocks.0.attn.to_q", np.random.default_rng(0).standard_normal
    for name in ("first", "second"):
        tensors = {f"{layer}.lora_A.weight": draw((2, 32), np.float32), f"{layer}.lora_B.weight": draw((32, 2), np.float32)}
        save_file(tensors, hub.folder / "org/loras" / f"{name}.safetensors")
    return "org/loras"


def test_a_lora_is_pinned_and_downloaded_once_and_alone(hub: Hub, lora: str, benchmark: Path, out: EditPaths) -> None:
    asked = ("--lora", f"{lora}:second.safetensors@0.5")
    status, said = edit(hub, benchmark, out, *asked, "--dry-run")
    assert (status, f"editor + second@{hub.commit(lora)[:12]}*0.5" in said, "second.safetensors" in hub.sent) == (
        0,
        True,
        False,
    ), said
    status, said = edit(hub, benchmark, out, *asked)
    assert (status, hub.sent["second.safetensors"], hub.sent["first.safetensors"]) == (0, 1, 0), said
    (told,) = orjson.loads(out.identity.read_bytes())["settings"]["lora"]
    assert (told["name"], told["revision"], told["scale"]) == (lora, hub.commit(lora), 0.5)
    hub.faults.add("down")
    status, said = edit(hub, benchmark, out, *asked, "--dry-run")
    assert (status, "│ 0 " in said) == (0, True), said


def test_which_of_several_loras_has_to_be_said(hub: Hub, lora: str, benchmark: Path, out: EditPaths) -> None:
    status, said = edit(hub, benchmark, out, "--lora", lora)
    assert (status, "has 2 files: first.safetensors, second.safetensors" in said) == (2, True), said
    status, said = edit(hub, benchmark, out, "--lora", f"{lora}:*.safetensors", "--dry-run")
    assert (status, f"{lora} has no *.safetensors" in said) == (2, True), said
    assert not WEIGHTS & hub.sent.keys()


def test_a_lora_given_as_the_model_says_how_to_use_it(hub: Hub, lora: str, benchmark: Path, out: EditPaths) -> None:
    hub.tags = ["lora", "base_model:adapter:org/editor"]
    status, said = edit(hub, benchmark, out, model=lora)
    assert (status, f"{lora} is a LoRA, not a model" in said) == (2, True), said
    assert f"--model org/editor --lora {lora}" in said
    assert not any(path.endswith(".safetensors") for path in hub.sent)


def test_a_revision_is_pinned_while_the_branch_moves_on(hub: Hub, benchmark: Path, out: EditPaths) -> None:
    first = hub.commit("org/editor")
    assert edit(hub, benchmark, out, "--dry-run")[0] == 0
    (hub.folder / "org/editor/README.md").write_text("moved on")
    status, said = edit(hub, benchmark, out, model=f"org/editor@{hub.commit('org/editor')}")
    assert status == 0, said
    assert orjson.loads(out.identity.read_bytes())["model"]["revision"] == hub.commit("org/editor") != first
    status, said = edit(hub, benchmark, out, model=f"org/editor@{first}")
    assert (status, "has no revision" in said) == (2, True), said


def test_a_download_that_breaks_off_goes_on_with_what_came_whole(hub: Hub, benchmark: Path, out: EditPaths) -> None:
    hub.faults.add("broken")
    status, said = edit(hub, benchmark, out)
    assert (status, "could not download org/editor" in said) == (2, True), said
    assert not out.root.exists()
    hub.faults.clear()
    hub.sent.clear()
    status, said = edit(hub, benchmark, out)
    assert status == 0, said
    assert hub.sent.keys() == WEIGHTS


def test_a_gated_model_says_what_to_accept_and_comes_with_a_token(hub: Hub, benchmark: Path, out: EditPaths) -> None:
    hub.faults.add("gated")
    doctor = ["doctor", "--stage", "edit", "--model", "org/editor"]
    environment = {"HF_HOME": str(out.root.parent / "cache"), "HF_ENDPOINT": hub.url}
    for status, said in (edit(hub, benchmark, out), Command(doctor, environment).run()):
        assert status == 2
        assert f"Accept its licence at {hub.url}/org/editor, then log in" in " ".join(said.split())
    assert edit(hub, benchmark, out, "--dry-run", HF_TOKEN="hf_x")[0] == 0
    assert Command(doctor, {**environment, "HF_TOKEN": "hf_x"}).run()[0] == 0


def test_a_hub_that_is_down_is_said(hub: Hub, benchmark: Path, out: EditPaths) -> None:
    hub.faults.add("down")
    status, said = edit(hub, benchmark, out)
    assert (status, "the hub does not answer: Server error '503" in said) == (2, True), said


@pytest.mark.parametrize("stage", ["edit", "score"])
def test_pickled_weights_are_refused_by_name_before_they_are_downloaded(
    hub: Hub, benchmark: Path, folders: Path, out: EditPaths, stage: str
) -> None:
    for path in [*hub.folder.rglob("vae/*.safetensors"), *hub.folder.rglob("judge/*.safetensors")]:
        path.rename(path.with_suffix(".bin"))
    environment = {"HF_HOME": str(out.root.parent / "cache"), "HF_ENDPOINT": hub.url}
    rubric = ["--rubric", "five"]
    score = Command(["score", str(folders / "edits"), "--model", "org/judge", *rubric, "--out", str(out.root)], environment)
    status, said = edit(hub, benchmark, out) if stage == "edit" else score.run()
    assert (status, ".bin, a pickle that can run code" in said) == (2, True), said
    assert not any(path.endswith((".bin", ".safetensors")) for path in hub.sent)
