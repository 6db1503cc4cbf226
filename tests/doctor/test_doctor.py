from __future__ import annotations

from pathlib import Path

import pytest

from editbench.doctor import accelerators, hub, packages, stage
from editbench.doctor.check import STAGES, Check
from editbench.errors import UserError


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """What the packages are found to be; the other probes find nothing."""
    checks: list[Check] = []
    monkeypatch.setattr(packages, "checks", lambda: iter(checks))
    monkeypatch.setattr(accelerators, "look", lambda: ([], []))
    monkeypatch.setattr(hub, "checks", lambda: iter(()))
    return checks


TORCH = Check(what="torch", here="missing", state="fault", stages=("edit", "score"), remedy="torch: pip install it")
JINJA = Check(what="jinja2", here="3.0", tested="3.1", state="note", stages=("report",), remedy="jinja2 is old")


def test_a_named_stage_that_can_not_run_is_an_error(probes: list[Check], capsys: pytest.CaptureFixture) -> None:
    probes += [TORCH, JINJA]
    stage.doctor(["report", "import"])
    said = capsys.readouterr().out
    for line in ("FAULT: torch: pip install it", "note: jinja2 is old", "edit: can not run: torch", "report: can run"):
        assert f"{line}\n" in said
    with pytest.raises(UserError, match="can't run here: edit, score") as caught:
        stage.doctor(["score", "edit", "report"])
    assert caught.value.remedy == "torch: pip install it"


def test_where_nothing_can_run_the_rest_is_not_looked_at(probes: list[Check], tmp_path: Path) -> None:
    probes += [Check(what="numpy", here="missing", state="fault", stages=STAGES)]
    assert [check.what for check in stage.examine(tmp_path, "no/model")] == ["numpy"]


def test_a_stage_that_there_is_not_is_refused() -> None:
    with pytest.raises(UserError, match="--stage edti is no stage"):
        stage.doctor(["edti"])
