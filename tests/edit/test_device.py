"""What the editor makes a device wait for, seen without one (see `stand_in_device`)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from warm import Running

from editbench.paths import TinyPaths

TESTS = Path(__file__).parents[1]


def test_a_denoising_step_waits_for_nothing_and_does_what_a_bare_loop_does(checkpoints: TinyPaths) -> None:
    paths = (str(TESTS / "edit"), str(TESTS), os.environ.get("PYTHONPATH", ""))
    process = Running(["steps_on_device", str(checkpoints.editor)], {**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    out, err = process.communicate()
    assert process.returncode == 0, err
    counted = json.loads(out)
    assert counted["same_pixels"]
    assert counted["editbench"] == counted["plain"]
    for step in counted["editbench"]:
        assert step["reads"] == step["uploads"] == 0 < step["operations"]
