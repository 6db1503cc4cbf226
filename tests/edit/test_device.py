"""What the editor makes a device wait for, seen without one (see `stand_in_device`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from editbench.paths import TinyPaths

TESTS = Path(__file__).parents[1]


def test_a_denoising_step_waits_for_nothing_and_does_what_a_bare_loop_does(checkpoints: TinyPaths) -> None:
    command = [sys.executable, str(TESTS / "edit" / "steps_on_device.py"), str(checkpoints.editor)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted["same_pixels"]
    assert counted["editbench"] == counted["plain"]
    for step in counted["editbench"]:
        assert step["reads"] == step["uploads"] == 0 < step["operations"]
