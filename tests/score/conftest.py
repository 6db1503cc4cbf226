from __future__ import annotations

import pytest

from editbench import tiny
from editbench.paths import TinyPaths


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> TinyPaths:
    """The tiny checkpoints; copy one before changing it."""
    return tiny.write(tmp_path_factory.mktemp("checkpoints") / "tiny")
