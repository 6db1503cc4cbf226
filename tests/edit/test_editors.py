from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from editbench.edit import editors
from editbench.edit.editor import Request
from editbench.edit.editors import ClassEditor
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.models import Kind, Model

ASKED = EditSettings(steps=4, cfg=2.0, negative_prompt="blurry")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch):
    """A ClassEditor whose class has this method `edit`, and what it is called with."""

    def make(edit: Callable[..., Any], settings: EditSettings = ASKED) -> ClassEditor:
        module = types.ModuleType("of_the_user")
        module.Editor = type("Editor", (), {"__init__": lambda self, device: None, "edit": staticmethod(edit)})
        monkeypatch.setitem(sys.modules, "of_the_user", module)
        return editors.load(Model(Kind.CLASS, "of_the_user:Editor", "of_the_user:Editor", {}), "cpu", settings)

    return make


def none(_step: int, _steps: int) -> None:
    pass


def test_a_class_gets_the_pictures_the_instruction_and_only_what_it_asks_for(made: Any, request_of: Any) -> None:
    def edit(images: list[Image.Image], instruction: str, *, seed: int) -> Image.Image:
        assert (len(images), instruction, seed) == (2, "make it snow", 7)
        return images[1]

    request = request_of(2, seed=7)
    assert made(edit).edit(request, none).image.tobytes() == request.images[1].tobytes()


def test_a_class_that_asks_for_everything_gets_it(made: Any, request_of: Any) -> None:
    given: dict[str, Any] = {}

    def edit(images: list[Image.Image], instruction: str, **settings: Any) -> Image.Image:
        given.update(settings)
        return images[0]

    asked = made(edit)
    asked.edit(request_of(), none)
    assert asked.ignored == []
    assert given == {"seed": 1, "size": (64, 48), "step": none, "steps": 4, "cfg": 2.0, "negative_prompt": "blurry"}


def test_settings_that_a_class_does_not_know_are_named(made: Any) -> None:
    assert made(lambda images, instruction, steps: images[0]).ignored == ["cfg", "negative_prompt"]
    assert made(lambda images, instruction: images[0], EditSettings(cfg=2.0)).ignored == ["cfg"]
    assert made(lambda images, instruction: images[0], EditSettings()).ignored == []


def test_a_setting_that_is_not_set_is_left_to_the_default_of_the_class(made: Any, request_of: Any) -> None:
    given = []

    def edit(images: list[Image.Image], instruction: str, cfg: float | None, steps: int = 20) -> Image.Image:
        given.append((cfg, steps))
        return images[0]

    made(edit, EditSettings()).edit(request_of(), none)
    assert given == [(None, 20)]


def test_a_size_that_is_left_to_the_class_is_not_passed(made: Any, request_of: Any) -> None:
    made(lambda images, instruction, **settings: images[0] if "size" not in settings else None).edit(
        request_of(size=None), none
    )
    made(lambda images, instruction, size: images[0] if size is None else None).edit(request_of(size=None), none)


@pytest.mark.parametrize("returned", [None, "picture.png", b"bytes"])
def test_what_is_no_picture_is_refused(made: Any, request_of: Any, returned: Any) -> None:
    with pytest.raises(UserError, match=f"the editor returned {type(returned).__name__}, not a PIL image"):
        made(lambda images, instruction: returned).edit(request_of(), none)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK"])
def test_a_picture_of_any_mode_becomes_rgb(made: Any, request_of: Any, mode: str) -> None:
    edited = made(lambda images, instruction: Image.new(mode, (5, 4))).edit(request_of(), none).image
    assert (edited.mode, edited.size) == ("RGB", (5, 4))


def test_copy_gives_back_the_first_source(request_of: Callable[..., Request]) -> None:
    request = request_of(2)
    control = editors.load(Model(Kind.CONTROL, "copy", "copy", {}), "cpu", EditSettings())
    assert control.edit(request, none).image is request.images[0]
    assert control.ignored == []
