"""LoRAs of a pipeline: low-rank updates of its weights, added to what its layers compute, each with a scale.

    --lora fal/Some-LoRA                                  a hub id with one file of weights; also ID@REVISION
    --lora lightx2v/Qwen-Image-Lightning:FILE.safetensors one file of several
    --lora ./checkpoints/step-4000@0.8                    a folder or a file here, with a scale other than 1

They stay apart from the weights of the pipeline (not merged into them): merged in bfloat16 small updates would be rounded
away, and a scale of 0 would not give the pictures of the pipeline alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from editbench import files, models
from editbench.edit import library
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, LoraPaths, PipelinePaths
from editbench.models import Kind, Model
from editbench.wording import counted

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

JOIN = " + "
"""Between the names of a model and of its LoRAs."""
_FORMS = "Give OWNER/NAME, a folder or a *.safetensors file, then :FILE where there are several, then @SCALE if it is not 1."
_AGAIN = "Download the LoRA again, as *.safetensors."
_USUAL = LoraPaths(Path()).weights.name
"""The file's name as diffusers saves a LoRA."""
_UPDATED = (
    r"(?:transformer\.|unet\.|diffusion_model\.)?(?P<module>.+?)(?:\.processor)?\.lora(?:_A|_down|\.down)(?:\.default)?\.weight"
)
"""A tensor of a LoRA, and the layer that it updates by the name that the layer has in diffusers, where it has that name."""


@dataclass(frozen=True, slots=True)
class Lora:
    """`source`: where it comes from; `file`: its weights, relative to that, with / between folders; `scale`: what its updates
    are multiplied by."""

    source: Model
    file: str
    scale: float

    @property
    def name(self) -> str:
        """For messages and tables: the file's name (the folder's where the file has the usual one), digest and scale."""
        file = PurePosixPath(self.file)
        named = self.source.name.rpartition("/")[2] if file.name == _USUAL else file.stem
        pinned = self.source.identity.get("digest") or self.source.identity["revision"]
        return f"{named}@{pinned[:12]}" + (f"*{self.scale:g}" if self.scale != 1 else "")

    @property
    def identity(self) -> dict[str, Any]:
        """What its part in the pictures depends on."""
        return {**self.source.identity, "file": self.file, "scale": self.scale}

    @property
    def path(self) -> Path:
        """Its weights on this machine, once fetched."""
        return Path(self.source.location) / self.file

    @property
    def weights(self) -> int:
        """How many numbers it holds; of one still on the hub, by the size of its file, as if each took two bytes."""
        if self.path.is_file():
            return count_of(self.text)
        info = models.hub_info(self.source, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in (info and info.siblings) or ()}
        return sizes.get(self.file, 0) // 2

    @property
    def text(self) -> str:
        """For `load`."""
        return f"{self.path}@{self.scale!r}"


def resolve(text: str) -> Lora:
    """What `--lora` names; pinned, but not downloaded.

    Raises:
        UserError: nothing of that name, no file of weights, several of which none is named, or one outside the folder.
    """
    named, scale = _scaled(text)
    if not named:
        raise UserError("--lora is empty", _FORMS)
    if Path(named).is_file():
        path = Path(named).absolute()  # not resolved: in the hub's cache it is a link, and has its name from that
        return Lora(_local(path.parent, path.name), path.name, scale)
    root, _, file = named.rpartition(":")
    if not root or Path(named).is_dir():
        root, file = named, ""
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        raise UserError(f"--lora {text}: {file} is not a path within {root}", _FORMS)
    if Path(root).is_dir():
        file = file or _only([path.name for path in Path(root).iterdir()], text)
        return Lora(_local(Path(root).absolute(), file), file, scale)
    if root.startswith(".") or not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", root):
        raise UserError(f"--lora {text}: no such file or folder", _FORMS)
    source = models.resolve(root)
    names = _names(source)
    if file and file not in names:
        raise _lacks(source.name, file)
    return Lora(source, file or _only(names, text), scale)


def fetch(lora: Lora) -> Lora:
    """The LoRA with its weights on this machine.

    Raises:
        UserError: the download failed.
    """
    return replace(lora, source=models.fetch(lora.source, [lora.file]))


def check(lora: Lora, pipeline: str) -> None:
    """Make sure that pipelines of the class `pipeline` take LoRAs, and that the file holds one if it is on this machine yet.

    Raises:
        UserError: no peft, a pipeline that takes no LoRAs, or a file that can't be read or holds none.
    """
    if importlib.util.find_spec("peft") is None:
        raise UserError("--lora needs the package peft", "pip install 'editbench[adapter]'")
    if (kind := library.declared(pipeline, library.PIPELINES)) and "load_lora_weights" not in kind.methods:
        raise UserError(f"{pipeline} takes no LoRA", "Merge it into the model's weights yourself, or leave --lora out.")
    if not lora.path.is_file():
        return
    if not any("lora" in name for name in models.tensor_shapes(lora.path, _AGAIN)):
        raise UserError(f"{lora.path} holds no LoRA: none of its tensors is named one", "Is this the right file?")


def check_fit(lora: Lora, folder: Path) -> None:
    """Raises UserError for a LoRA of which some layers are not in the weights of the pipeline in `folder`."""
    names = models.tensor_shapes(lora.path, _AGAIN)
    weights = [models.tensor_shapes(path, "Download the model again.") for path in folder.glob("*/*.safetensors")]
    layers = {name.rpartition(".")[0] for shapes in weights for name in shapes}
    updated = sorted(match["module"] for name in names if (match := re.fullmatch(_UPDATED, name)))
    missing = [module for module in updated if module not in layers]
    if missing and len(missing) < len(updated):  # all of them: named as other programs do, which diffusers translates
        changed = counted(len(updated), "layer")
        raise _unfit(str(lora.path), f"that lacks {len(missing)} of the {changed} it changes, such as {missing[0]}")


def load(pipeline: DiffusionPipeline, texts: Sequence[str]) -> None:
    """Put LoRAs on a pipeline. `texts`: of each its `text`.

    Raises:
        UserError: one does not fit.
    """
    if not texts:
        return
    import torch

    path, scales = "", {}
    try:
        for index, text in enumerate(texts):
            path, _, scale = text.rpartition("@")
            scales[f"lora_{index}"] = float(scale)
            pipeline.load_lora_weights(path, adapter_name=f"lora_{index}", local_files_only=True, use_safetensors=True)
        pipeline.set_adapters([*scales], [*scales.values()])
    except torch.OutOfMemoryError:
        raise
    except (ValueError, RuntimeError, KeyError) as error:
        raise _unfit(path, " ".join(str(error).split())[:300]) from None


def count_of(text: str) -> int:
    """How many numbers a LoRA holds that is on this machine, by its `text`. Raises UserError for one that can't be read."""
    return sum(map(math.prod, models.tensor_shapes(Path(text.rpartition("@")[0]), _AGAIN).values()))


def advice(model: Model) -> UserError | None:
    """The message for one who gave a LoRA as `--model`; None for what is none. Asks the hub where the model is a hub id."""
    try:
        base = _base_of_folder(Path(model.location)) if model.kind == Kind.FOLDER else _base_on_hub(model)
    except UserError:
        return None
    if base is None:
        return None
    given = model.name if model.kind == Kind.HUB else model.location
    return UserError(f"{given} is a LoRA, not a model", f"Put it on its base model: --model {base} --lora {given}")


def _scaled(text: str) -> tuple[str, float]:
    match = re.fullmatch(r"(.+)@(-?[0-9]*\.?[0-9]+)", text)
    return (text, 1.0) if match is None or Path(text).exists() else (match[1], float(match[2]))


def _local(folder: Path, file: str) -> Model:
    """A folder as the source of one of its files, of which alone it has the digest."""
    path = folder / file
    if not path.is_file():
        raise _lacks(str(folder), file)
    with open(path, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Model(Kind.FOLDER, folder.name, str(folder), {"kind": Kind.FOLDER, "name": folder.name, "digest": digest})


def _names(source: Model) -> list[str]:
    """Files of a hub repository; without a connection, those of them that are on this machine."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return HfApi().list_repo_files(source.name, revision=source.identity["revision"])
    except HfHubHTTPError.__bases__:  # OSError, and what its HTTP client raises
        root = Path(models.fetch(source, []).location)
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def _only(names: Sequence[str], text: str) -> str:
    weights = sorted(name for name in names if name.endswith(".safetensors"))
    if _USUAL in weights:
        return _USUAL
    if len(weights) != 1:
        several = f"{len(weights)} files: {', '.join(weights[:6])}" if weights else "no *.safetensors"
        raise UserError(f"--lora {text} has {several}", "Name one: --lora REPO:FILE.")
    return weights[0]


def _lacks(source: str, file: str) -> UserError:
    return UserError(f"{source} has no {file}", "Name one of its files: --lora REPO:FILE, or FOLDER:FILE.")


def _unfit(path: str, why: str) -> UserError:
    return UserError(f"the LoRA {path} does not fit the model: {why}", "Is it a LoRA of this very model?")


def _base_of_folder(folder: Path) -> str | None:
    """The base model of the LoRA in `folder`, BASE where it does not say which; None where there is no LoRA."""
    if PipelinePaths(folder).index.is_file() or CheckpointPaths(folder).config.is_file():
        return None
    settings = CheckpointPaths(folder).adapter_config
    if settings.is_file():
        return str(files.parse(files.read(settings), str(settings)).get("base_model_name_or_path") or "BASE")
    weights = CheckpointPaths(folder).weights()
    return "BASE" if any("lora" in name for path in weights for name in models.tensor_shapes(path, _AGAIN)) else None


def _base_on_hub(model: Model) -> str | None:
    """Likewise, of a hub repository, by its tags and the names of its files."""
    if (info := models.hub_info(model)) is None:
        return None
    tags, names = info.tags or [], {file.rfilename for file in info.siblings or []}
    if names & {PipelinePaths(Path()).index.name, CheckpointPaths(Path()).config.name}:
        return None
    bases = [tag.rpartition(":")[2] for tag in tags if tag.startswith("base_model:adapter:")]
    usual = {_USUAL, CheckpointPaths(Path()).adapter_config.name}
    return bases[0] if bases else "BASE" if "lora" in tags or names & usual else None
