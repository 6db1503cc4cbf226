"""A report is the same to the last byte whatever adds its numbers up: another BLAS kernel, other threads, other SIMD."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from editbench.paths import ReportPaths
from editbench.records import Judgement

from .conftest import judgement

RUNS, SAMPLES = ("one", "two", "same"), 400
_SIMD = np.show_config(mode="dicts")["SIMD Extensions"]
_KERNELS = {"SkylakeX": {"X86_V4", "AVX512_SKX"}, "Haswell": {"X86_V3", "AVX2"}, "Prescott": {"X86_V2", "SSE3"}}
"""Of OpenBLAS, with the instructions that each needs, in the words of either numpy 2.4 or those before."""
_REPORTS = """
import sys
from pathlib import Path
from editbench.report import stage
from editbench.report.options import ReportOptions
from editbench.report.statistics import bootstrap, comparison

out, ratings, *scores = sys.argv[1:]
options = ReportOptions(ratings=[ratings], resamples=300, figures=False, html=False, latex=True)
stage.report([*map(Path, scores)], Path(out, "few"), options)
bootstrap.FEW_GROUPS = comparison.FEW_GROUPS = 50  # as of more than a thousand groups
stage.report([*map(Path, scores)], Path(out, "many"), options)
"""


def _machines() -> dict[str, dict[str, str]]:
    """Environments in which numpy adds up in other ways, as far as this machine can take them."""
    known = {*_SIMD["baseline"], *_SIMD["found"]} if platform.machine() in ("x86_64", "AMD64") else set()
    kernels = {name: {"OPENBLAS_CORETYPE": name} for name, needs in _KERNELS.items() if needs & known}
    least = {"OPENBLAS_NUM_THREADS": "1", "NPY_DISABLE_CPU_FEATURES": " ".join(_SIMD["found"])}
    return {"usual": {"OPENBLAS_NUM_THREADS": "4"}, "least": least | kernels.pop("Prescott", {}), **kernels}


def _rows(seed: int, kind: str = "", count: int = SAMPLES) -> Iterator[Judgement]:
    """Scores whose sums have other last bits in another order; two samples a group."""
    chance = np.random.default_rng(seed)
    for index in range(count):
        first, second = np.round(np.clip(chance.normal(5, 3, size=2), 0, 10), 6).tolist()
        score = None if chance.random() < 0.03 else round((first + second) / 2, 6)
        criteria = {"success": first, "naturalness": second} if score is not None else None
        more = {"criteria": criteria, "language": ("en", "zh")[index % 2], "audit": kind}
        yield judgement(f"k{index:04d}", "abc"[index % 3], f"g{index // 2}", score, **more)


@pytest.fixture
def inputs(make_scores: Callable[..., Path], tmp_path: Path) -> list[str]:
    """A person's ratings, and three runs, two of which are the same."""
    rubric = {"headline": {"aggregate": "macro", "pools": {"all": ["a", "b"]}}}
    people = tmp_path / "people.csv"
    people.write_text("key,score\n" + "".join(f"k{index:04d},{1 + index % 5}\n" for index in range(0, SAMPLES, 2)))
    further = {"audit": list(_rows(7, "stranger", 100)), "anchors": list(_rows(8, count=60))}
    rows = {name: list(_rows(seed)) for name, seed in zip(RUNS, (0, 1, 1), strict=True)}
    return [str(people), *(str(make_scores(name, judgements=rows[name], rubric=rubric, **further)) for name in RUNS)]


def test_the_numbers_are_the_same_on_every_machine(inputs: list[str], tmp_path: Path) -> None:
    written = {}
    for name, environment in _machines().items():
        command = [sys.executable, "-c", _REPORTS, str(tmp_path / name), *inputs]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        paths = [ReportPaths(tmp_path / name / groups) for groups in ("few", "many")]
        written[name] = [
            file.read_bytes() for each in paths for file in (each.json, each.markdown, each.leaderboard, each.latex)
        ]
    usual, *others = written
    assert [name for name in others if written[name] != written[usual]] == []
