"""Steps are captured by torch.fx here: like a CUDA graph it keeps operations and the tensors they work on, and no Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from editbench.errors import UserError
from editbench.models import Kind, Model
from editbench.paths import TinyPaths
from editbench.score import judges
from editbench.score.qwen3vl import cuda_graph, decode_cache
from editbench.score.settings import ScoreSettings

from .test_decode_cache import replies


@pytest.mark.parametrize(("name", "temperature"), [("judge", 0.0), ("judge_moe", 1.0)])
def test_replayed_steps_decode_what_plain_ones_do(
    checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch, name: str, temperature: float
) -> None:
    replayed: list[Callable[[], Tensor]] = []

    def captured(step: Callable[[], Tensor]) -> Callable[[], Tensor]:
        graph = make_fx(step)()
        return lambda: replayed.append(graph) or graph()

    monkeypatch.setattr(cuda_graph, "captured", captured)
    monkeypatch.setattr(decode_cache, "BLOCK", 8)  # so that the buffers grow
    folder = getattr(checkpoints, name)
    wanted = replies(folder, temperature)
    assert replies(folder, temperature, cuda_graph=True) == [(text, pytest.approx(one, abs=1e-6)) for text, one in wanted]
    assert len(replayed) > 2 * len({*map(id, replayed)})


@pytest.mark.parametrize(
    ("device", "family", "settings"),
    [("cpu", {}, {}), ("cuda", {"family": "internvl"}, {}), ("cuda", {}, {"readout": "expected"})],
)
def test_where_no_steps_can_be_captured_it_is_refused(device: str, family: dict[str, str], settings: dict[str, str]) -> None:
    judges.check_cuda_graph(Model(Kind.FOLDER, "judge", "judge", {}), ScoreSettings(cuda_graph=True), "cuda")
    with pytest.raises(UserError, match="--cuda-graph is for replies of Qwen3-VL"):
        judges.check_cuda_graph(
            Model(Kind.FOLDER, "judge", "judge", family), ScoreSettings(cuda_graph=True, **settings), device
        )
