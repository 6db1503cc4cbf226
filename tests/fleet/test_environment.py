"""What a rank settles before it computes, and what it tells of its machine."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from processes import edit

from editbench import environment, files
from editbench.fleet import hardware
from editbench.paths import EditPaths

SETTLED = {"deterministic": True, "cudnn": [True, False], "tf32": [False, False], "cublas": ":4096:8"}
FAST = {"deterministic": False, "cudnn": [False, True], "tf32": [True, False], "cublas": None}


@pytest.mark.parametrize(("options", "settled"), [((), SETTLED), (("--fast",), FAST)])
def test_a_rank_takes_kernels_that_repeat_their_bits_unless_it_is_to_be_fast(
    bench: Path, tmp_path: Path, options: tuple[str, ...], settled: dict
) -> None:
    out, kernels = tmp_path / "edits", tmp_path / "kernels"
    status, said = edit(bench, out, "--limit", "1", *options, STAND_IN_KERNELS=str(kernels)).run()
    assert (status, orjson.loads(kernels.read_bytes())) == (0, settled), said
    told = orjson.loads(EditPaths(out).identity.read_bytes())["settings"]
    assert told.get("fast", False) is (options == ("--fast",))
    assert ("fast" in told) == bool(options)


def test_a_run_that_goes_on_with_another_card_warns_of_both(bench: Path, tmp_path: Path) -> None:
    out = tmp_path / "edits"
    assert edit(bench, out, STAND_IN_RAISE="s4").run()[0] == 3
    paths = EditPaths(out)
    told = orjson.loads(paths.environment.read_bytes())
    card = hardware.describe("cpu")["card"]
    assert told["attempts"][0]["ranks"] == {"card": [card]}
    told["attempts"][0]["ranks"]["card"] = ["another card"]
    files.dump(paths.environment, told)
    status, said = edit(bench, out).run()
    assert (status, said.count(f"begun with other hardware or kernels (card another card -> {card})")) == (0, 1), said
    assert [one["attempt"] for one in orjson.loads(paths.environment.read_bytes())["attempts"]] == [1, 2]


def test_what_ranks_tell_outlives_them(bench: Path, undisturbed: Path) -> None:
    (attempt,) = orjson.loads(EditPaths(undisturbed).environment.read_bytes())["attempts"]
    assert attempt["devices"] == ["1 x cpu"]
    assert environment.gathered([hardware.describe("cpu")])["card"] == attempt["ranks"]["card"]
