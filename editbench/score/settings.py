"""Every setting that changes a score. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from editbench.errors import UserError
from editbench.records import GENERATE, Readout

if TYPE_CHECKING:
    from editbench.score.judge import JudgeSettings

DEFAULT_BATCH = 8
"""Samples judged together, at most, where nothing else is asked for."""
MAX_TEXT = 4_000
LATER = ("thinking_budget", "keep_thoughts", "fast", "cuda_graph")
"""Settings that identities of earlier versions do not have."""

ReadoutOption = Annotated[
    Readout, Option(metavar="generate|expected", parser=str, help="Read a written score, or its distribution.")
]
LanguageOption = Annotated[str | None, Option(metavar="en|zh", help="Of the prompts; default: each sample's own.")]
MaxText = Annotated[int, Option(min=1, help="Characters of an instruction or reference text the judge is shown.")]


def percentage(text: str) -> float:
    """`10%`, or `10`, as 10.0. Raises UserError for anything else."""
    if match := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%?", str(text).strip()):
        return float(match[1])
    raise UserError(f"--audit {text} is no percentage", "Give for example 10%.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    """Part of the identity of a run. The command line takes its options from here."""

    readout: ReadoutOption = GENERATE
    forced: Annotated[
        bool, Option("--forced/--no-forced", help="After a reply that can't be read, ask once more for the score alone.")
    ] = True
    votes: Annotated[int, Option(min=1, help="Replies a sample, drawn with seeds; their mean counts.")] = 1
    temperature: Annotated[float, Option(min=0, help="0: always the most likely token.")] = 0.0
    seed: Annotated[int, Option(help="Each vote's seed is a hash of this, the sample's key and the vote.")] = 0
    batch_size: Annotated[
        int | None, Option(min=1, help="Samples judged together; default: 8, or fewer where there are few samples.")
    ] = None
    """Padding moves the last bits, so a sample is always judged in the same batch. Where neither this nor `batch_tokens` is
    given, `batching.default_size` tells it, before anything is judged."""
    batch_tokens: Annotated[
        int | None, Option(min=1, help="In its place: as many together as stay within N tokens, by an estimate.")
    ] = None
    audit: Annotated[
        float,
        Option(
            metavar="P%",
            parser=percentage,
            show_default="0%",
            help="Test the judge with controls on this share of the samples.",
        ),
    ] = 0.0
    """Percent of the samples whose controls are judged as well."""
    language: LanguageOption = None
    """None: each sample's own, where the rubric has it."""
    max_pixels: Annotated[int, Option(help="Largest area of a picture the judge sees.")] = 1_048_576
    max_new_tokens: Annotated[int, Option(min=1, help="Longest reply, in tokens.")] = 256
    thinking_budget: Annotated[
        int | None, Option(min=1, metavar="N", help="Let the judge think first, for at most N tokens; then it answers.")
    ] = None
    keep_thoughts: Annotated[bool, Option("--keep-thoughts", help="Keep the thoughts in the rows' responses.")] = False
    max_text: MaxText = MAX_TEXT
    """All samples of a batch are padded to the length of the longest, and pay for it."""
    dtype: Annotated[str, Option(metavar="DTYPE", help="auto, bfloat16, float16 or float32.")] = "auto"
    """`auto`: bfloat16 on an accelerator, float32 on a CPU."""
    fast: Annotated[bool, Option("--fast", help="The quickest kernels; their bits may change from run to run.")] = False
    cuda_graph: Annotated[
        bool, Option("--cuda-graph", help="Replay the steps of a reply as a CUDA graph; Qwen3-VL on an NVIDIA GPU.")
    ] = False
    """Attention sees whole buffers then, which moves the last bits where no row is padded."""

    def to_dict(self) -> dict[str, Any]:
        """By name; those of `LATER` only where they are used, so that folders of earlier versions are gone on with."""
        values = {name: value for name, value in asdict(self).items() if name not in LATER or value}
        # Where no judge runs nobody settles it, and earlier versions wrote this.
        return values if self.batch_size or self.batch_tokens else {**values, "batch_size": DEFAULT_BATCH}

    def for_judge(self, device: str) -> JudgeSettings:
        """Raises UserError for what no judge can work with."""
        from editbench.score.judge import JudgeSettings

        names = {field.name for field in fields(JudgeSettings)} & {field.name for field in fields(self)}
        return JudgeSettings(device=device, **{name: getattr(self, name) for name in names})

    def check(self) -> None:
        """Raises UserError for settings that can't be, whatever the device."""
        replace(self, dtype="float32").for_judge("cpu")
        if self.batch_size is not None and self.batch_tokens is not None:
            raise UserError("--batch-size and --batch-tokens are two ways to say one thing", "Give one of them.")
        if self.keep_thoughts and self.thinking_budget is None:
            raise UserError("--keep-thoughts without thoughts", "Give --thinking-budget 4096, say.")
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
