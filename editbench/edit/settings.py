"""Every setting that changes the pixels of an edit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

DEFAULT_AREA = "1048576"
DEFAULT_SHARD_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSettings:
    """Part of the identity of a run. None for a setting means the pipeline's own default."""

    seed: int = 0
    steps: int | None = None
    """Denoising steps."""
    cfg: float | None = None
    """Scale of classifier-free guidance: `true_cfg_scale` where the pipeline has it, else `guidance_scale`."""
    negative_prompt: str | None = None
    """With true CFG it must be a text, " " will do: without one the pipeline silently leaves CFG out."""
    size: str = DEFAULT_AREA
    """`source`, an area in pixels, or WIDTHxHEIGHT; see `edit.size`."""
    dtype: str = "auto"
    """`auto`: bfloat16 on an accelerator, float32 on a CPU."""
    categories: tuple[str, ...] = ()
    limit: int | None = None
    shard_size: int = DEFAULT_SHARD_SIZE

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


PUBLISHED: dict[str, tuple[int, float]] = {
    "QwenImageEditPlusPipeline": (40, 4.0),
    "QwenImageEditPipeline": (50, 4.0),
}
"""Steps and guidance scale by pipeline class, as the models' cards on the hub give them. Others keep the pipeline's own
defaults."""
