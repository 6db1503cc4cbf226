"""Every setting that changes the pixels of an edit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from typer import Option

LATER = ("fast",)
"""Settings that identities of earlier versions do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSettings:
    """Part of the identity of a run. The command line takes its options from here. None means the pipeline's own default."""

    seed: Annotated[int, Option(help="Each sample's seed is a hash of this and its key.")] = 0
    steps: Annotated[int | None, Option(min=1, help="Denoising steps; default: the model's published number.")] = None
    cfg: Annotated[float | None, Option(help="Guidance scale; default: the model's published one.")] = None
    """`true_cfg_scale` where the pipeline has it, else `guidance_scale`."""
    negative_prompt: Annotated[str | None, Option(help="Default: what keeps true CFG on.")] = None
    """With true CFG it must be a text, " " will do: without one the pipeline silently leaves CFG out."""
    size: Annotated[str, Option(metavar="source|PIXELS|WxH", help="Size of the edits; PIXELS keeps the aspect ratio.")] = (
        "1048576"
    )
    """See `edit.size`."""
    dtype: Annotated[str, Option(metavar="DTYPE", help="auto, bfloat16, float16 or float32.")] = "auto"
    """`auto`: bfloat16 on an accelerator, float32 on a CPU."""
    categories: Annotated[tuple[str, ...], Option("--category", help="Only this category; repeatable.")] = ()
    limit: Annotated[int | None, Option(min=1, help="Only the first N samples.")] = None
    shard_size: Annotated[int, Option(min=1, help="Samples a shard.")] = 32
    fast: Annotated[bool, Option("--fast", help="The quickest kernels; their bits may change from run to run.")] = False

    def to_dict(self) -> dict[str, Any]:
        """By name; those of `LATER` only where they are used, so that folders of earlier versions are gone on with."""
        return {name: value for name, value in asdict(self).items() if name not in LATER or value}
