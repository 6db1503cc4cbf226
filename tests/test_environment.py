from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench import environment, files
from editbench.errors import UserError
from editbench.paths import RunPaths
from editbench.records import Environment


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path)


def attempts(paths: RunPaths) -> list[dict[str, Any]]:
    return orjson.loads(paths.environment.read_bytes())["attempts"]


def test_changed_library_versions_are_reported_and_recorded(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.10", "numpy": "2.0", "pillow": "11"}
    monkeypatch.setattr(environment, "_version", versions.get)
    assert environment.begin(paths, ["1 x cpu"]) == []
    versions.update(torch="2.11", pillow=None, webdataset="1.0")
    changed = ["torch 2.10 -> 2.11", "pillow 11 -> absent", "webdataset absent -> 1.0"]
    assert environment.begin(paths, ["1 x cpu"]) == changed
    assert [entry["packages"].get("torch") for entry in attempts(paths)] == ["2.10", "2.11"]
    assert environment.begin(paths, ["2 x cpu"], fast=True, more={"edits": "../edits"}) == []
    assert [(entry["devices"], entry["fast"]) for entry in attempts(paths)[1:]] == [(["1 x cpu"], False), (["2 x cpu"], True)]
    assert files.load(paths.environment, Environment).edits == "../edits"


def test_another_card_than_in_the_attempt_before_is_told_of(paths: RunPaths) -> None:
    for cards, changed in (
        (["A100"], []),
        (["A100"], []),
        (["A100", "H100"], ["card A100 -> A100, H100"]),
        (["H100"], []),
        (["A100"], ["card H100 -> A100"]),
    ):
        environment.begin(paths, ["1 x cuda"])
        assert environment.note_ranks(paths, {"card": cards}) == changed
    assert [entry["ranks"]["card"] for entry in attempts(paths)][2:] == [["A100", "H100"], ["H100"], ["A100"]]


def test_an_attempt_whose_ranks_told_nothing_is_passed_over(paths: RunPaths) -> None:
    environment.begin(paths, ["1 x cuda"])
    environment.note_ranks(paths, {"card": ["A100"]})
    environment.begin(paths, ["1 x cuda"])
    environment.begin(paths, ["1 x cuda"])
    assert environment.note_ranks(paths, {"card": ["H100"], "driver": ["580"]}) == ["card A100 -> H100"]


def test_a_record_that_was_replaced_meanwhile_stays_as_it_is(paths: RunPaths) -> None:
    files.dump(paths.environment, {"edits": "../edits"})
    assert environment.note_ranks(paths, {"card": ["A100"]}) == []
    assert orjson.loads(paths.environment.read_bytes()) == {"edits": "../edits"}


def test_what_ranks_tell_is_gathered_by_name() -> None:
    ranks = [{"card": "H100", "driver": "580"}, {"card": "A100"}, {"card": "H100"}, {}]
    assert environment.gathered(ranks) == {"card": ["A100", "H100"], "driver": ["580"]}


def test_the_single_object_of_earlier_versions_is_the_first_attempt(paths: RunPaths) -> None:
    earlier = {"editbench": "0.1", "packages": {"torch": "1.0"}, "devices": ["2 x cuda"], "edits": "../edits"}
    files.dump(paths.environment, earlier)
    assert files.load(paths.environment, Environment).last.devices == ["2 x cuda"]
    assert any(line.startswith("torch 1.0 -> ") for line in environment.begin(paths, ["1 x cpu"]))
    assert attempts(paths)[0] == earlier
    assert files.load(paths.environment, Environment).last.devices == ["1 x cpu"]


@pytest.mark.parametrize("value", [{"attempts": 3}, {"attempts": [3]}, {"attempts": [{"packages": [1]}]}, {"packages": 1}, []])
def test_a_broken_record_is_refused(paths: RunPaths, value: Any) -> None:
    files.dump(paths.environment, value)
    with pytest.raises(UserError, match=r"environment\.json") as refused:
        environment.begin(paths, ["1 x cpu"])
    assert refused.value.remedy.startswith("Remove it")


def test_credentials_of_a_command_line_are_not_kept() -> None:
    command = ["editbench", "edit", "sftp://anna:hush@host/bench", "--out=s3://key:hush@bucket/edits"]
    assert environment.of_process(command)["command"][2:] == ["sftp://host/bench", "--out=s3://bucket/edits"]
