"""Qwen-Image-Edit with random weights, made on the device, and what a bare loop and a rank of editbench do with it."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from diffusers import (
    AutoencoderKLQwenImage,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published
from PIL import Image
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer, Qwen2VLProcessor

from editbench import images, tiny
from editbench.benchmarks.benchmark import write_benchmark
from editbench.edit import editors
from editbench.edit.editor import Editor, Request
from editbench.edit.seed import seed_of
from editbench.edit.settings import EditSettings
from editbench.edit.worker import EditWorker
from editbench.fleet.loop import Loop
from editbench.fleet.status import RankStatus, StatusFile
from editbench.fleet.work import Claims
from editbench.foreign_paths import PipelinePaths
from editbench.models import Kind, Model
from editbench.paths import EDITED, EditPaths
from editbench.processors import load_processor
from editbench.records import Sample

PROMPT = "Make it a winter evening."
CFG, NEGATIVE = 4.0, " "
_ROPE = {"rope_type": "default", "rope_theta": 1e6}
_SMALL_VAE = {"base_dim": 8, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1}
_SMALL_TRANSFORMER = {"num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 32}
_SMALL_TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_SMALL_VISION = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes as a published checkpoint's configs have them, beyond the defaults of the classes, which are Qwen-Image's."""

    transformer: dict[str, Any]
    text: dict[str, Any]
    vision: dict[str, Any]
    vae: dict[str, Any] = field(default_factory=dict)


SHAPES = {
    "2511": Shape(
        {"zero_cond_t": True},
        {
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152_064,
            "rope_parameters": {**_ROPE, "mrope_section": [16, 24, 24]},
        },
        {"hidden_size": 1280},
    ),
    "tiny": Shape(
        {"zero_cond_t": True, "axes_dims_rope": (4, 6, 6), **_SMALL_TRANSFORMER},
        {**_SMALL_TEXT, "num_key_value_heads": 2, "vocab_size": 512, "rope_parameters": {**_ROPE, "mrope_section": [1, 1, 2]}},
        {"fullatt_block_indexes": [1], **_SMALL_VISION},
        _SMALL_VAE,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`side`: of pictures, in pixels. `images`: of each side of the loop. `few`: steps where only a pass's time counts."""

    device: str
    dtype: str
    side: int = 1024
    steps: int = 40
    few: int = 4
    images: int = 2
    repeats: int = 2
    peak: float = 790.0


TINY = Plan(device="cpu", dtype="float32", side=64, steps=4, few=2)


class Bench:
    """A pipeline of random weights, and what both sides do with it. `folder`: the tiny editor, whose processor and tokenizer it
    has; `work`: for results."""

    def __init__(self, folder: Path, work: Path, shape: str, plan: Plan) -> None:
        self.folder, self.work, self.plan = folder, work, plan
        area = plan.side**2
        published.VAE_IMAGE_SIZE, published.CONDITION_IMAGE_SIZE = area, min(area, published.CONDITION_IMAGE_SIZE)
        self.pipeline = random_pipeline(folder, SHAPES[shape], plan)
        self.pipeline.set_progress_bar_config(disable=True)
        self.keys = [f"sample-{number}" for number in range(plan.images)]
        self.sources = pictures(plan.images, plan.side)
        write_benchmark(work / "bench", "random", zip(map(_sample, self.keys), map(_members, self.sources), strict=True))

    def as_published(self) -> QwenImageEditPlusPipeline:
        """The pipeline without what an editor has changed of it."""
        vars(self.pipeline).pop("encode_prompt", None)
        model = self.pipeline.transformer
        if model.is_cache_enabled:
            model.disable_cache()
        model.set_attention_backend("native")
        for module in model.modules():
            module._compiled_call_impl = None
        return self.pipeline

    def editor(self, **settings: Any) -> Editor:
        self.as_published()
        with self._loaded():
            return editors.load(Model(**{**self._model(), "kind": Kind.FOLDER}), self.plan.device, self._settings(**settings))

    def request(self, number: int = 0) -> Request:
        seed = seed_of(0, self.keys[number])
        return Request(images=[self.sources[number]], instruction=PROMPT, seed=seed, size=(self.plan.side,) * 2)

    def plain(self, number: int) -> Image.Image:
        """A picture as a script of one's own would make and save it."""
        made = self.as_published()(
            image=self.sources[number],
            prompt=PROMPT,
            negative_prompt=NEGATIVE,
            true_cfg_scale=CFG,
            num_inference_steps=self.plan.steps,
            width=self.plan.side,
            height=self.plan.side,
            generator=torch.Generator("cpu").manual_seed(self.request(number).seed),
        ).images[0]
        made.save(io.BytesIO(), "PNG")
        return made

    def rank(self, name: str) -> tuple[float, list[dict[str, Any]], list[str]]:
        """(seconds, rows of timings.jsonl, digests of the pictures) of a rank's loop over all samples, loading left out."""
        paths, rows = EditPaths(self.work / name), []
        paths.spool.mkdir(parents=True)
        settings, plan = self._settings().to_dict(), [*range(self.plan.images)]
        worker = EditWorker(
            benchmark=str(self.work / "bench"), out=str(paths.root), model=self._model(), settings=settings, plan=plan
        )
        board = StatusFile(self.work / f"{name}-status", RankStatus(0, 1))
        self.as_published()
        with self._loaded():
            Loop(worker, Claims(_Store(), items=len(plan)), board, rows.append).run(self.plan.device)
        board.close()
        if board.status.failed:
            raise RuntimeError(f"samples failed: {board.status.events[-1].note}")
        return max(row["ended"] for row in rows) - min(row["began"] for row in rows), rows, _digests(paths, self.keys)

    @contextmanager
    def _loaded(self) -> Iterator[None]:
        with mock.patch.object(DiffusionPipeline, "from_pretrained", return_value=self.pipeline):
            yield

    def _model(self) -> dict[str, Any]:
        return {"kind": "folder", "name": "random", "location": str(self.folder), "identity": {}}

    def _settings(self, **more: Any) -> EditSettings:
        size = f"{self.plan.side}x{self.plan.side}"
        common = {"cfg": CFG, "negative_prompt": NEGATIVE, "size": size, "dtype": self.plan.dtype}
        return EditSettings(**{"steps": self.plan.steps, **common, **more})


class _Store:
    """The counters of a rank that is alone."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}

    def add(self, key: str, amount: int) -> int:
        self._values[key] = self._values.get(key, 0) + amount
        return self._values[key]


def random_pipeline(folder: Path, shape: Shape, plan: Plan) -> QwenImageEditPlusPipeline:
    paths, dtype = PipelinePaths(folder), getattr(torch, plan.dtype)
    tokenizer = Qwen2Tokenizer.from_pretrained(folder / "tokenizer")
    config = Qwen2_5_VLConfig(
        text_config={"pad_token_id": tokenizer.pad_token_id, **shape.text},
        vision_config={"patch_size": 14, "window_size": 112, **shape.vision},
        **tiny._token_ids(tokenizer),
    )
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(plan.device):
            transformer = QwenImageTransformer2DModel(**shape.transformer).eval()
            vae = AutoencoderKLQwenImage(**shape.vae).eval()
            text_encoder = Qwen2_5_VLForConditionalGeneration._from_config(config, dtype=dtype).eval()
    finally:
        torch.set_default_dtype(before)
    return QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, max_image_seq_len=8192, max_shift=0.9, shift_terminal=0.02
        ),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        processor=load_processor(paths.processor, Qwen2VLProcessor),
        transformer=transformer,
    )


def operations(model: QwenImageTransformer2DModel, image_tokens: int, text_tokens: int) -> float:
    """Of a forward pass: two a weight and token (query, key, value, output and a feed-forward of four times the width, for each
    kind of token), and four a pair of tokens and channel in attention. 167 TFLOP with 8,192 + 228 tokens."""
    width = model.config.num_attention_heads * model.config.attention_head_dim
    tokens = image_tokens + text_tokens
    return model.config.num_layers * (2 * tokens * 12 * width**2 + 4 * tokens**2 * width)


def pictures(count: int, side: int) -> list[Image.Image]:
    values = np.random.default_rng(0)
    return [Image.fromarray(values.integers(0, 256, (side, side, 3), np.uint8)) for _ in range(count)]


def _sample(key: str) -> Sample:
    return Sample(key=key, id=key, instruction=PROMPT, category="random", group=key)


def _members(picture: Image.Image) -> dict[str, bytes]:
    return {"source.png": images.encode_png(picture)}


def _digests(paths: EditPaths, keys: Sequence[str]) -> list[str]:
    with tarfile.open(paths.shard(0)) as tar:
        found = [Image.open(tar.extractfile(f"{key}.{EDITED}")) for key in keys]
        return [digest(picture) for picture in found]


def digest(picture: Image.Image) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()
