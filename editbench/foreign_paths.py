"""Names of files that other programs write, and editbench reads: model folders and published benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from editbench.paths import Child


@dataclass(frozen=True, slots=True)
class CheckpointPaths:
    """A model folder as transformers lays it out; the names are that library's."""

    root: Path

    config = Child("config.json")
    tokenizer = Child("tokenizer.json")
    sentencepiece = Child("tokenizer.model")
    """What `tokenizer` can be made from, too, for families of SentencePiece tokenizers."""
    adapter_config = Child("adapter_config.json")
    """What makes a folder a PEFT adapter; the names of its files are that library's."""
    adapter_weights = Child("adapter_model.safetensors")
    tokenizer_config = Child("tokenizer_config.json")
    processor = Child("processor_config.json")
    """Where transformers 5 saves the image processor's settings (and more)."""
    image_processor = Child("preprocessor_config.json")
    """Where published checkpoints have them."""
    video_processor = Child("video_preprocessor_config.json")
    chat_template = Child("chat_template.jinja")
    chat_template_json = Child("chat_template.json")

    @property
    def slow_tokenizer(self) -> tuple[Path, Path]:
        """What `tokenizer.json` can be made from."""
        return self.root / "vocab.json", self.root / "merges.txt"

    def weights(self) -> list[Path]:
        return sorted(self.root.glob("*.safetensors"))


@dataclass(frozen=True, slots=True)
class PipelinePaths:
    """An editing pipeline's folder as diffusers lays it out; the names are that library's."""

    root: Path

    index = Child("model_index.json")
    processor = Child("processor")
    scheduler = Child("scheduler")
    transformer = Child("transformer")
    vae = Child("vae")


@dataclass(frozen=True, slots=True)
class LoraPaths:
    """A folder with low-rank updates of a pipeline, as diffusers saves it; the name is that library's."""

    root: Path

    weights = Child("pytorch_lora_weights.safetensors")


@dataclass(frozen=True, slots=True)
class SchedulerPaths:
    """A scheduler's folder as diffusers lays it out; the name is that library's."""

    root: Path

    config = Child("scheduler_config.json")


@dataclass(frozen=True, slots=True)
class SavedDatasetPaths:
    """A folder that `save_to_disk` of the `datasets` library has written; the names are that library's."""

    root: Path

    state = Child("state.json")
    """Lists the Arrow files beside it."""
    splits = Child("dataset_dict.json")
    """Lists the folders beside it, one a split."""


@dataclass(frozen=True, slots=True)
class KrisPaths:
    """KRIS-Bench as it is published; the names are that benchmark's."""

    root: Path

    annotation = Child("annotation.json")
    """Of a category: its samples. Their pictures lie beside it."""

    def annotations(self) -> list[Path]:
        """Those of the categories in this folder."""
        return sorted(self.root.glob(f"*/{self.annotation.name}"))
