from __future__ import annotations

import pytest

from editbench.edit import arguments, pipeline_class
from editbench.edit.pipeline_class import PipelineClass
from editbench.errors import UserError


@pytest.fixture(scope="module")
def kontext() -> PipelineClass:
    return pipeline_class.read("FluxKontextPipeline")


def settle(kind: PipelineClass, *texts: str) -> tuple[str, ...]:
    return arguments.settle(texts, kind, "guidance_scale")


def test_a_value_is_json_or_else_text() -> None:
    texts = ("a=1", "b=0.5", "c=[1, 2]", "d=true", "e=null", "f=a text", 'g="1"', "h=x=y")
    read = {"a": 1, "b": 0.5, "c": [1, 2], "d": True, "e": None, "f": "a text", "g": "1", "h": "x=y"}
    assert arguments.parse(texts) == read


def test_arguments_are_settled_in_one_spelling(kontext: PipelineClass) -> None:
    assert settle(kontext, "true_cfg_scale=2", "sigmas=[1, 0.5]") == ("sigmas=[1,0.5]", "true_cfg_scale=2")
    assert settle(kontext, "sigmas= [1,0.5]", "true_cfg_scale=2") == ("sigmas=[1,0.5]", "true_cfg_scale=2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_sequence_len=3", "a call of FluxKontextPipeline has no such argument"),
        ("num_inference_steps=3", "--steps sets it"),
        ("guidance_scale=3", "--cfg sets it"),
        ("height=64", "--size sets it"),
        ("image=a.png", "can't be chosen"),
        ("prompt=x", "can't be chosen"),
        ("callback_on_step_end_tensor_inputs=[]", "can't be chosen"),
        ("generator", "is not NAME=VALUE"),
        ("max_sequence_length=long", "it must be a number, as its default 512 is"),
        ("true_cfg_scale=true", "it must be a number"),
        ("sigmas=NaN", "NaN is no finite number"),
        ("sigmas=1e400", "1e400 is no finite number"),
        (f"sigmas={'[' * 300}{']' * 300}", "Recursion limit"),
    ],
)
def test_what_can_not_be_set_is_refused(kontext: PipelineClass, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        settle(kontext, text)


def test_a_name_close_to_an_argument_is_proposed(kontext: PipelineClass) -> None:
    with pytest.raises(UserError) as caught:
        settle(kontext, "max_sequence_len=3")
    assert caught.value.remedy == "Did you mean max_sequence_length?"


def test_a_name_like_none_of_them_is_answered_with_what_can_be_set(kontext: PipelineClass) -> None:
    with pytest.raises(UserError) as caught:
        settle(kontext, "zzz=3")
    assert "sigmas, true_cfg_scale." in caught.value.remedy
    assert not any(name in caught.value.remedy for name in ("callback", "num_inference_steps", " guidance_scale", "generator"))
