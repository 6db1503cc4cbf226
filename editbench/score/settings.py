"""Every setting that changes a score."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    """Part of the identity of a run."""

    readout: str = "generate"
    batch_size: int = 8
    """Samples judged together: padding moves the last bits, so a sample always has the same company."""
    language: str | None = None
    """Language of the rubric's texts; None: each sample's own, where the rubric has it."""
    max_pixels: int = 1_048_576
    max_new_tokens: int = 256
    dtype: str = "auto"
    """`auto`: bfloat16 on an accelerator, float32 on a CPU."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
