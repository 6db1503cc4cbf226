"""The worked Slurm script of the README."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("slurm.sh")


def test_the_script_is_valid_shell() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)


@pytest.mark.skipif(not shutil.which("sbatch"), reason="Slurm is not here")
def test_slurm_takes_the_script() -> None:
    subprocess.run(["sbatch", "--test-only", str(SCRIPT), "bench", "model", "out"], check=True)
