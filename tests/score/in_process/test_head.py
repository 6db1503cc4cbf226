from __future__ import annotations

import pytest
import torch

from editbench.paths import TinyPaths
from editbench.score.in_process import head
from editbench.score.judge import JudgeSettings
from editbench.score.qwen3vl.judge import Qwen3VLJudge

from ..qwen3vl.test_judge import SHORT


def large(dtype: torch.dtype) -> tuple[torch.nn.Linear, torch.Tensor]:
    """A head of 50 words and hidden states, (2, 3, 64), with logits of some tens."""
    torch.manual_seed(0)
    return torch.nn.Linear(64, 50, bias=False).to(dtype), (20 * torch.randn(2, 3, 64)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_logits_are_not_rounded_to_the_dtype_of_the_weights(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    linear, hidden = large(dtype)
    exact = hidden.double() @ linear.weight.double().T
    for words in (16, head.SLICE):
        monkeypatch.setattr(head, "SLICE", words)
        logits = head.logits(linear, hidden)
        assert logits.dtype == torch.float32
        assert torch.allclose(logits.double(), exact, rtol=0, atol=1e-4)
    assert (linear(hidden).double() - exact).abs().max() > 1e-3


def test_in_float32_the_head_is_the_models_own() -> None:
    linear, hidden = large(torch.float32)
    assert torch.equal(head.logits(linear, hidden), linear(hidden))


def test_a_judge_in_bfloat16_reads_logits_in_float32(checkpoints: TinyPaths) -> None:
    judge = Qwen3VLJudge(checkpoints.judge, JudgeSettings(device="cpu", dtype="bfloat16", readout="expected"))
    logits = judge._prefix_cache.prefill(judge.prepare([SHORT])).logits
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())
