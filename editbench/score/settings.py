"""Every setting that changes a score."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from editbench.errors import UserError
from editbench.records import GENERATE, Readout
from editbench.score.judge import JudgeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    """Part of the identity of a run."""

    readout: Readout = GENERATE
    forced: bool = True
    """Whether a reply that can't be read is followed by a forced readout."""
    votes: int = 1
    temperature: float = 0.0
    seed: int = 0
    """What a vote draws depends on this, the sample, the question and the vote's number."""
    batch_size: int | None = 8
    """Samples judged together: padding moves the last bits, so a sample always has the same company."""
    batch_tokens: int | None = None
    """In place of `batch_size`: as many samples together as stay within this many tokens, by an estimate."""
    audit: float = 0.0
    """Percent of the samples whose controls are judged as well."""
    language: str | None = None
    """Language of the rubric's texts; None: each sample's own, where the rubric has it."""
    max_pixels: int = 1_048_576
    max_new_tokens: int = 256
    max_text: int = 4_000
    """Characters of an instruction or a reference text that the judge is shown. All samples of a batch are padded to the length
    of the longest, and pay for it."""
    dtype: str = "auto"
    """`auto`: bfloat16 on an accelerator, float32 on a CPU."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def for_judge(self, device: str) -> JudgeSettings:
        """Raises UserError for what no judge can work with."""
        names = ("dtype", "readout", "max_new_tokens", "max_pixels", "temperature")
        return JudgeSettings(device=device, **{name: getattr(self, name) for name in names})

    def check(self) -> None:
        """Raises UserError for settings that can't be, whatever the device."""
        replace(self, dtype="float32").for_judge("cpu")
        if (self.batch_size is None) == (self.batch_tokens is None):
            raise UserError("--batch-size and --batch-tokens are two ways to say one thing", "Give one of them.")
        if not 0 <= self.audit <= 100:
            raise UserError(f"--audit {self.audit:g}% is no share of the samples", "Give 0% to 100%.")
        if self.votes > 1 and not self.temperature:
            raise UserError(
                f"{self.votes} votes at temperature 0 are the same {self.votes} times", "Give --temperature 0.7, say."
            )

    def draw_seed(self, key: str, question: str, vote: int) -> int:
        """64 bits that no other sample, question or vote has."""
        name = "\0".join((str(self.seed), key, question, str(vote)))
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def percentage(text: str) -> float:
    """`10%`, or `10`, as 10.0. Raises UserError for anything else."""
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)%?", text.strip()):
        return float(match[1])
    raise UserError(f"--audit {text} is no percentage", "Give for example 10%.")
