"""What `--model` names, resolved without loading anything: a control, a class, a local folder, or a hub id.

copy                       a control
package.module:Class       a class of the user's
./checkpoints/step-4000    a local checkpoint
Qwen/Qwen-Image-Edit-2511  a hub id, also ID@REVISION
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from editbench import files
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths

FEW = (CheckpointPaths(Path()).config.name, PipelinePaths(Path()).index.name)
"""Files to ask the hub's cache for: a snapshot without those that `fetch` leaves out counts as incomplete, unless few are
asked for."""


@dataclass(frozen=True, slots=True)
class _WeightsIndex:
    """Which file holds each weight, as transformers and diffusers write it."""

    weight_map: dict[str, str]


class Kind(StrEnum):
    CONTROL = "control"
    CLASS = "class"
    FOLDER = "folder"
    HUB = "hub"
    RECORDED = "recorded"
    """Not run here: what it said was written down."""
    SERVED = "served"
    """Not run here: a server is asked."""


@dataclass(frozen=True, slots=True)
class Model:
    """`location`: the control's name, `module:Class`, or the folder of the weights (before `fetch`, the hub id as it was asked
    for). `identity`: what its results depend on."""

    kind: Kind
    name: str
    location: str
    identity: dict[str, Any]
    adapter: str = ""
    """Folder of a PEFT adapter of a judge."""

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is a folder of weights, here or on the hub."""
        return self.kind in (Kind.FOLDER, Kind.HUB)


def resolve(name: str, *, controls: Collection[str] = ()) -> Model:
    """Find out what `name` is. A hub id is pinned to a commit but not downloaded (`fetch` does that).

    Raises:
        UserError: nothing of that name, or a class that can't be found.
    """
    if name in controls:
        return Model(Kind.CONTROL, name, name, {"kind": Kind.CONTROL, "name": name})
    if name and os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises for a name that is too long for the file system
        return _folder(Path(name))
    if name and os.path.isfile(name):  # noqa: PTH113 - likewise
        raise UserError(f"{name} is a file, and a model is a folder", "Name the folder of the whole checkpoint.")
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        return _class(name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", name) and not name.startswith("."):
        return _hub(name)
    known = "".join(f"{control}, " for control in controls)
    raise UserError(f"no model {name}: no such folder", f"A model is {known}a local folder, a hub id, or package.module:Class.")


def fetch(model: Model, patterns: Sequence[str], ignore: Sequence[str] = ()) -> Model:
    """The model with its weights on this machine: downloads a hub id once, before any rank starts, and pins what came.

    Raises:
        UserError: the download failed.
    """
    if model.kind != Kind.HUB:
        return model
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    # By the name that was asked for, not by its commit: only so does the hub's library note in the cache which commit the name
    # stands for, and finds it again without a connection.
    wanted = {"revision": _revision(model.location), "allow_patterns": list(patterns), "ignore_patterns": list(ignore)}
    try:
        folder = snapshot_download(model.name, **wanted)
    except GatedRepoError:
        raise gated(model.name) from None
    except HfHubHTTPError.__bases__ as error:  # OSError, and what its HTTP client raises (httpx, in some versions httpx2)
        remedy = "Mend the connection, or name a local folder. The same command goes on with the files that came whole."
        raise UserError(f"could not download {model.name}: {_words(error)}", remedy) from None
    return replace(model, location=folder, identity={**model.identity, "revision": Path(folder).name})


def hub_info(model: Model, **options: Any) -> Any:
    """What the hub says of the commit of a model, huggingface_hub's `ModelInfo`; None where it does not answer."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return HfApi().model_info(model.name, revision=model.identity["revision"], timeout=10, **options)
    except HfHubHTTPError.__bases__:  # OSError, and what its HTTP client raises (httpx, in some versions httpx2)
        return None


def gated(repository: str) -> UserError:
    """What to tell one to whom the hub does not give a model's files."""
    from huggingface_hub import constants

    remedy = f"Accept its licence at {constants.ENDPOINT}/{repository}, then log in: `hf auth login`, or set HF_TOKEN."
    return UserError(f"{repository} is gated: the hub gives it only to those who accepted its licence", remedy)


def check_safetensors(model: Model, folders: Collection[str]) -> None:
    """Make sure that a hub id has weights that hold nothing but numbers, in those of its folders that have any ("": the top).

    Without a connection nothing is checked: what is in the cache was, when it came.

    Raises:
        UserError: a folder with *.bin alone, which are pickles: to load one is to run what its author wrote.
    """
    info = hub_info(model)
    paths = [PurePosixPath(file.rfilename) for file in ((info and info.siblings) or ())]
    weights = {(str(path.parent).strip("."), path.suffix): path for path in paths}
    for folder in folders:
        if (folder, ".bin") in weights and (folder, ".safetensors") not in weights:
            message = f"{model.name} has {weights[folder, '.bin']}, a pickle that can run code, and no *.safetensors beside it"
            raise UserError(message, "Ask for a revision with safetensors (ID@REVISION), or convert it and name the folder.")


def tensor_shapes(path: Path, remedy: str) -> dict[str, list[int]]:
    """Shapes of the tensors in a safetensors file, by name, from its header. Raises UserError for a file that can't be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as opened:
            return {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} can't be read: {error}", remedy) from None


def check_weights(folder: Path) -> None:
    """Make sure that a model folder has its weights, all shards that its index names included.

    Raises:
        UserError: no weights, or some missing (names them), or a broken index.
    """
    # *.bin is not looked at beside *.safetensors: libraries then take those, and `fetch` leaves the others out.
    kind = "safetensors" if any(folder.glob("*.safetensors*")) else "bin"
    for index in sorted(folder.glob(f"*.{kind}.index.json")):
        names = set(files.load(index, _WeightsIndex, "Download the model again.").weight_map.values())
        if missing := sorted(name for name in names if Path(name).name != name or not (folder / name).is_file()):
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UserError(f"{folder} lacks {missing[0]}{more}, which {index.name} names", "Download the model again.")
    if not any(folder.glob(f"*.{kind}")):
        raise UserError(f"{folder} has no weights (*.safetensors)", "Is the download complete, and is this the right folder?")


def digest(folder: Path) -> str:
    """Digest of a checkpoint: every file's name and size, and its contents sampled.

    Files up to 4 MiB are read whole, of larger ones 64 evenly spaced blocks of 64 KiB: a training step changes nearly every
    weight, and 57 GB would be read whole at each start.
    """
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)):
        size = path.stat().st_size
        total.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with open(path, "rb") as file:
            if size <= 1 << 22:
                total.update(file.read())
                continue
            for block in range(64):
                file.seek((size - (1 << 16)) * block // 63)
                total.update(file.read(1 << 16))
    return total.hexdigest()


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _folder(folder: Path) -> Model:
    if not any(folder.iterdir()):
        raise UserError(f"the model folder {folder} is empty", "Is the download complete, and is this the right folder?")
    name = folder.resolve().name
    return Model(Kind.FOLDER, name, str(folder.resolve()), {"kind": Kind.FOLDER, "name": name, "digest": digest(folder)})


def _class(name: str) -> Model:
    module, _, attribute = name.partition(":")
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:  # ValueError: __main__
        raise UserError(f"--model {name}: {error}", "Is its package installed, or beside you in this folder?") from None
    if (
        spec is None or not spec.has_location or spec.origin is None
    ):  # built-in modules and folders without __init__.py have none
        raise UserError(f"--model {name}: no module {module}", "Is it installed, or beside you in this folder?")
    source = Path(spec.origin).read_bytes()
    if not re.search(rf"\b{re.escape(attribute)}\b".encode(), source):
        raise UserError(f"--model {name}: {spec.origin} has no {attribute}", "Is the class name right?")
    identity = {"kind": Kind.CLASS, "name": name, "digest": hashlib.sha256(source).hexdigest()}
    return Model(Kind.CLASS, name, name, identity)


def _hub(name: str) -> Model:
    repository = name.partition("@")[0]
    commit = _commit(repository, _revision(name))
    return Model(Kind.HUB, repository, name, {"kind": Kind.HUB, "name": repository, "revision": commit})


def _revision(name: str) -> str | None:
    return name.partition("@")[2] or None


def _commit(repository: str, revision: str | None) -> str:
    """The commit that the hub names now; without a connection, the one in the cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return HfApi().model_info(repository, revision=revision, timeout=10).sha
    except HFValidationError as error:
        raise UserError(f"{repository} is neither a folder here nor a hub id: {error}", "Check the name.") from None
    except GatedRepoError:
        raise gated(repository) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"the hub has no model {repository} that you may see", "Check the name; gated models need a login."
        ) from None
    except RevisionNotFoundError:
        raise UserError(f"{repository} has no revision {revision} on the hub", "Check the part behind the @.") from None
    except HfHubHTTPError.__bases__ as error:  # OSError, and what its HTTP client raises (httpx, in some versions httpx2)
        reason = error
    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True, allow_patterns=[*FEW])).name
    except LocalEntryNotFoundError:
        remedy = "Mend the connection, or name a local folder."
        raise UserError(
            f"{repository} is neither a folder here nor in the cache, and the hub does not answer: {_words(reason)}", remedy
        ) from None


def _words(error: Exception) -> str:
    """An error of the hub's client in one line, without its advice."""
    return " ".join(str(error).partition("\nFor more information")[0].split())
