"""Names of files that other programs write, and editbench reads: model folders and published benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CheckpointPaths:
    """A model folder as transformers lays it out; the names are that library's."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def weights_index(self) -> Path:
        return self.root / "model.safetensors.index.json"

    def weights(self) -> list[Path]:
        return sorted(self.root.glob("*.safetensors"))

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer.json"

    @property
    def slow_tokenizer(self) -> tuple[Path, Path]:
        """What `tokenizer.json` can be made from."""
        return self.root / "vocab.json", self.root / "merges.txt"

    @property
    def sentencepiece(self) -> Path:
        """Likewise, for families of SentencePiece tokenizers."""
        return self.root / "tokenizer.model"

    @property
    def adapter_config(self) -> Path:
        """What makes a folder a PEFT adapter; the names of its files are that library's."""
        return self.root / "adapter_config.json"

    @property
    def adapter_weights(self) -> Path:
        return self.root / "adapter_model.safetensors"

    @property
    def tokenizer_config(self) -> Path:
        return self.root / "tokenizer_config.json"

    @property
    def processor(self) -> Path:
        """Where transformers 5 saves the image processor's settings (and more)."""
        return self.root / "processor_config.json"

    @property
    def image_processor(self) -> Path:
        """Where published checkpoints have them."""
        return self.root / "preprocessor_config.json"

    @property
    def video_processor(self) -> Path:
        return self.root / "video_preprocessor_config.json"

    @property
    def chat_template(self) -> Path:
        return self.root / "chat_template.jinja"

    @property
    def chat_template_json(self) -> Path:
        return self.root / "chat_template.json"


@dataclass(frozen=True, slots=True)
class PipelinePaths:
    """An editing pipeline's folder as diffusers lays it out; the names are that library's."""

    root: Path

    @property
    def index(self) -> Path:
        return self.root / "model_index.json"

    @property
    def processor(self) -> Path:
        return self.root / "processor"


@dataclass(frozen=True, slots=True)
class SavedDatasetPaths:
    """A folder that `save_to_disk` of the `datasets` library has written; the names are that library's."""

    root: Path

    @property
    def state(self) -> Path:
        """Lists the Arrow files beside it."""
        return self.root / "state.json"

    @property
    def splits(self) -> Path:
        """Lists the folders beside it, one a split."""
        return self.root / "dataset_dict.json"


@dataclass(frozen=True, slots=True)
class KrisPaths:
    """KRIS-Bench as it is published; the names are that benchmark's."""

    root: Path

    @property
    def annotation(self) -> Path:
        """Of a category: its samples. Their pictures lie beside it."""
        return self.root / "annotation.json"

    def annotations(self) -> list[Path]:
        """Those of the categories in this folder."""
        return sorted(self.root.glob(f"*/{self.annotation.name}"))
