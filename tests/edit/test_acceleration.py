"""How the options that make edits faster take effect, and what becomes part of the identity."""

from __future__ import annotations

from typing import Any

import pytest

from editbench.edit import acceleration, attention
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.models import Kind, Model

PIPELINE, CLASS, CONTROL = (Model(kind, kind.value, "m", {}) for kind in (Kind.FOLDER, Kind.CLASS, Kind.CONTROL))


def effect(model: Model = PIPELINE, **settings: Any) -> dict[str, Any]:
    """What is in the identity beyond the settings of a plain run."""
    made = acceleration.in_effect(EditSettings(**settings), model).to_dict()
    return {name: value for name, value in made.items() if name not in EditSettings().to_dict()}


def test_what_is_not_used_is_not_in_the_identity() -> None:
    assert effect() == effect(attention="auto", cache="none", compile=False) == {}
    assert effect(attention="native", cache="taylorseer") == {"attention": "native", "cache": "taylorseer:5"}
    assert effect(compile=True) == {"compile": True}


def test_a_kernel_of_the_environment_is_taken_over_and_told(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv(attention.VARIABLE, "_native_math")
    assert effect() == {"attention": "_native_math"}
    assert "DIFFUSERS_ATTN_BACKEND=_native_math is taken as --attention _native_math" in capsys.readouterr().out
    assert effect() == {}  # it is gone, so that ranks do not see it either


def test_the_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv(attention.VARIABLE, "flash")
    assert effect(attention="native") == {"attention": "native"}
    assert "DIFFUSERS_ATTN_BACKEND=flash is left aside: --attention native" in capsys.readouterr().err
    assert effect() == {}


def test_a_kernel_of_the_environment_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(attention.VARIABLE, "fast")
    with pytest.raises(UserError, match="--attention fast is unknown"):
        effect()


def test_a_control_has_no_use_for_them_and_a_class_is_refused() -> None:
    asked = {"attention": "native", "cache": "first-block", "compile": True}
    assert effect(CONTROL, **asked) == {}
    for name, value in asked.items():
        with pytest.raises(UserError, match="are for pipelines of diffusers, and class is a class"):
            effect(CLASS, **{name: value})
    assert effect(CLASS) == {}
