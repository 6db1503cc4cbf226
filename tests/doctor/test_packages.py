from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

import editbench
from editbench.doctor import packages
from editbench.doctor.check import STAGES, Check

REQUIRED = [
    "numpy>=1.26",
    'torch>=2.10; extra == "edit"',
    'torch>=2.10; extra == "score"',
    'jinja2>=3.1; extra == "report"',
    'ruff>=0.12; extra == "dev"',
    'pyarrow>=17; extra == "parquet"',
    'editbench[edit,score,report]; extra == "all"',
]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Check]]:
    """The checks on a machine that has these versions, and no other packages."""

    def checks(**versions: str) -> dict[str, Check]:
        def version(name: str) -> str:
            if name.replace("-", "_") not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name.replace("-", "_")]

        monkeypatch.setattr(packages, "tested", lambda: {"numpy": "2.4.6", "torch": "2.13.0"})
        monkeypatch.setattr(metadata, "requires", lambda name: REQUIRED)
        monkeypatch.setattr(metadata, "version", version)
        return {check.what: check for check in packages.checks()}

    return checks


def test_each_package_is_told_with_the_stages_that_need_it(installed: Callable[..., dict[str, Check]]) -> None:
    checks = installed(numpy="2.4.6", torch="2.13.0+cu130", jinja2="3.2", flash_attn="2.9", pyarrow="17")
    stages = {name: check.stages for name, check in checks.items() if not name.startswith("editbench")}
    assert stages == {"numpy": STAGES, "torch": ("edit", "score"), "jinja2": ("report",)} | {
        "pyarrow": ("extra parquet",),
        "flash-attn": ("score",),
    }
    assert {check.state for check in checks.values()} == {"ok"}  # a build of the tested version, and one that none is known of
    assert checks["torch"].tested == "2.13.0"


def test_a_package_that_is_missing_or_too_old_stops_its_stages(installed: Callable[..., dict[str, Check]]) -> None:
    checks = installed(numpy="1.20", jinja2="3.1")
    assert (checks["torch"].here, checks["torch"].state) == ("missing", "fault")
    assert "pip install -c constraints.txt -e '.[edit,score]'" in checks["torch"].remedy
    assert (checks["numpy"].here, checks["numpy"].state) == ("1.20, and >=1.26 is needed", "fault")
    assert checks["jinja2"].state == "ok"


def test_another_version_than_the_tested_one_is_noted(installed: Callable[..., dict[str, Check]]) -> None:
    checks = installed(numpy="2.5.0", torch="2.13.0", jinja2="3.1", pyarrow="17")
    assert {name: check.state for name, check in checks.items() if check.state != "ok"} == {"numpy": "note"}


def test_what_only_an_extra_asks_for_stops_no_stage(installed: Callable[..., dict[str, Check]]) -> None:
    missing = installed(numpy="2.4.6", torch="2.13.0", jinja2="3.1")["pyarrow"]
    assert (missing.here, missing.state, missing.stages) == ("missing", "note", ("extra parquet",))
    assert missing.remedy == "For parquet alone, pyarrow: pip install -c constraints.txt -e '.[parquet]'"


def test_without_the_metadata_of_editbench_nothing_is_made_up(
    installed: Callable[..., dict[str, Check]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    installed()
    monkeypatch.setattr(metadata, "requires", unknown)
    assert [(check.here, check.state) for check in packages.checks()][1:] == [("not installed as a package", "note")]


def test_the_tested_versions_are_those_that_the_project_pins() -> None:
    root = Path(editbench.__file__).parents[1]
    pinned = [line for line in (root / "constraints.txt").read_text().splitlines() if "==" in line]
    assert len(packages.tested()) == len(pinned)
    assert f"torch=={packages.tested()['torch']}" in pinned
    assert (root / "editbench" / "constraints.txt").samefile(root / "constraints.txt")
