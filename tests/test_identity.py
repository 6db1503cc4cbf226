from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench import identity
from editbench.errors import IdentityError, UserError
from editbench.files import SCHEMA


def settle(path: Path, **parts: Any) -> Path:
    identity.settle(path, identity.make("edit", **parts))
    return path


def differences(there: dict[str, Any], asked: dict[str, Any]) -> list[tuple[str, str, str]]:
    return list(identity.differences(identity.make("edit", **there), identity.make("edit", **asked)))


def test_equal_parts_give_an_equal_digest_in_any_order() -> None:
    one = identity.make("edit", a=1, b={"x": 1, "y": [2.0, None]})
    two = identity.make("edit", b={"y": [2.0, None], "x": 1}, a=1)
    assert one["digest"] == two["digest"]


def test_the_digest_of_a_value_never_changes() -> None:
    made = identity.make("edit", model={"name": "模型"}, settings={"seed": 0, "cfg": 4.0, "categories": ()})
    assert made["digest"] == "ee61f14ed654cdc79a0e2b7daac3751a61b0d0e5e3b8320ed6bf800c5222ea08"


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": 1, "b": None}, {}])
def test_any_other_part_gives_another_digest(other: dict[str, Any]) -> None:
    assert identity.make("edit", **other)["digest"] != identity.make("edit", a=1)["digest"]
    assert identity.make("score", a=1)["digest"] != identity.make("edit", a=1)["digest"]


def test_the_same_identity_passes_and_is_written_once(tmp_path: Path) -> None:
    path = settle(tmp_path / "identity", a=1)
    before = path.stat().st_mtime_ns
    settle(path, a=2)
    identity.compare(path, identity.make("edit", a=1), remedy="")
    assert path.stat().st_mtime_ns == before


def test_another_identity_is_refused_with_each_setting_that_differs(tmp_path: Path) -> None:
    path = settle(tmp_path / "identity", model={"name": "m"}, settings={"steps": 40, "size": "source"})
    with pytest.raises(IdentityError, match="results of other settings") as caught:
        identity.compare(path, identity.make("edit", model={"name": "m"}, settings={"steps": 20, "cfg": 4.0}), remedy="go")
    assert caught.value.differences == [
        ("settings.cfg", "-", "4.0"),
        ("settings.size", "source", "-"),
        ("settings.steps", "40", "20"),
    ]
    assert caught.value.remedy == "go"


def test_a_tuple_is_the_list_that_is_read_back(tmp_path: Path) -> None:
    path = settle(tmp_path / "identity", settings={"categories": ("a",), "seed": 0})
    there, asked = identity.load(path), identity.make("edit", settings={"categories": ("a",), "seed": 1})
    assert list(identity.differences(there, asked)) == [("settings.seed", "0", "1")]


def test_long_values_that_begin_alike_are_told_apart() -> None:
    ((_, there, asked),) = differences({"text": "x" * 100 + "a"}, {"text": "x" * 100 + "b"})
    assert there != asked
    assert max(len(there), len(asked)) < 60


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no identity in"),
        (b"{", "is not JSON"),
        (b"[]", "not a JSON object"),
        (orjson.dumps({"schema": SCHEMA + 1}), "another schema"),
        (orjson.dumps({"schema": SCHEMA, "digest": "d"}), "was changed"),
    ],
)
def test_what_is_no_identity_of_ours_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "identity"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        identity.load(path)
