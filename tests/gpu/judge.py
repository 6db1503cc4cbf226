"""How fast Qwen3-VL judges on this device, by shape, readout and batch size, and what share of the hardware's floor that is.

    python tests/gpu/judge.py [--shape 30b-a3b --shape 8b] [--batch 1 --batch 8 ...] [--peak 790] [--out FILE]
    python tests/gpu/judge.py --tiny        the same code on a CPU in seconds; its figures mean nothing

The weights are random and nothing is downloaded: speed does not depend on them, but for a random router that spreads its tokens
over all experts. The judge is editbench's own, from pictures to replies. Each batch is prepared before its time is taken, as
the fleet prepares the next while one runs. A floor is (operations of a forward pass) / (`--peak` TFLOP/s, what large products
reach: 790 on an H200, 250 on an A100); steps of a reply read weights and cache instead and are not in it. On a CPU one thread's
own time is taken, in which other work on the machine does not show. Prints JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from unittest import mock

import numpy as np
import torch
import typer
from PIL import Image
from transformers import AutoModelForImageTextToText, PretrainedConfig, Qwen3VLConfig, Qwen3VLMoeConfig

from editbench import tiny
from editbench.score.criteria import Criterion
from editbench.score.judge import JudgeSettings, Question
from editbench.score.qwen3vl import cuda_graph, loading
from editbench.score.qwen3vl.judge import Qwen3VLJudge

VOCABULARY = 151_936
_ROPE = {"rope_type": "default", "mrope_interleaved": True, "rope_theta": 5e6}
_HEADS = {"num_attention_heads": 32, "head_dim": 128, "vocab_size": VOCABULARY}
_EXPERTS = {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768}
_VISION = {
    "depth": 27,
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_heads": 16,
    "deepstack_visual_indexes": [8, 16, 24],
}
_SMALL_HEADS = {"num_attention_heads": 4, "head_dim": 64, "vocab_size": 512}
_SMALL_VISION = {
    "depth": 7,
    "hidden_size": 128,
    "intermediate_size": 480,
    "num_heads": 2,
    "deepstack_visual_indexes": [1, 3, 5],
}
_TINY_HEADS = {"num_attention_heads": 4, "head_dim": 16, "vocab_size": 512}
_TINY_VISION = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "deepstack_visual_indexes": [0]}
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "30b-a3b": ({"hidden_size": 2048, "num_hidden_layers": 48, "num_key_value_heads": 4, **_HEADS, **_EXPERTS}, _VISION),
    "8b": (
        {"hidden_size": 4096, "num_hidden_layers": 36, "num_key_value_heads": 8, "intermediate_size": 12288, **_HEADS},
        _VISION,
    ),
    "small": (
        {"hidden_size": 256, "num_hidden_layers": 9, "num_key_value_heads": 1, "intermediate_size": 768, **_SMALL_HEADS},
        _SMALL_VISION,
    ),
    "tiny": (
        {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            **_TINY_HEADS,
            **_EXPERTS,
            "moe_intermediate_size": 8,
        },
        _TINY_VISION,
    ),
}
"""The text's and the vision tower's sizes. `small`: the 8B's proportions, for a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`side`: of a picture, in pixels. `text`: tokens. `questions`: about the same pictures, to see what sharing them gains."""

    device: str
    dtype: str
    batches: tuple[int, ...]
    side: int = 1024
    text: int = 600
    new_tokens: int = 150
    questions: int = 3
    repeats: int = 3
    peak: float = 790.0


TINY = Plan(device="cpu", dtype="float32", batches=(1, 2), side=256, text=60, new_tokens=4, repeats=1)


def config(shape: str) -> PretrainedConfig:
    text, vision = SHAPES[shape]
    pairs = text["head_dim"] // 2
    rope = {**_ROPE, "mrope_section": [pairs - 2 * (pairs * 5 // 16), pairs * 5 // 16, pairs * 5 // 16]}
    known = tiny._tokenizer()
    parts = {
        "text_config": {
            "rope_parameters": rope,
            "pad_token_id": known.pad_token_id,
            "eos_token_id": known.eos_token_id,
            **text,
        },
        "vision_config": {"patch_size": 16, "num_position_embeddings": 2304, "out_hidden_size": text["hidden_size"], **vision},
    }
    return (Qwen3VLMoeConfig if "num_experts" in text else Qwen3VLConfig)(**parts, **tiny._token_ids(known))


def random_judge(folder: Path, shape: str, plan: Plan, readout: str) -> Qwen3VLJudge:
    """`folder`: the tiny judge, whose tokenizer it has; in that a byte is a token."""

    def load(_folder: Path, device: torch.device, dtype: torch.dtype, *_: object) -> tuple[Any, list[str]]:
        shaped = config(shape)
        implementations, note = loading.attention(shaped, device, dtype)
        torch.manual_seed(0)
        with device:
            model = AutoModelForImageTextToText.from_config(shaped, dtype=dtype, attn_implementation=implementations).eval()
        model.generation_config.eos_token_id = VOCABULARY  # no reply ends early
        return model, [note, *loading.experts(model)]

    settings = JudgeSettings(device=plan.device, dtype=plan.dtype, readout=readout, max_new_tokens=plan.new_tokens)
    with mock.patch.object(loading, "load", load):
        return Qwen3VLJudge(folder, settings)


def operations(shape: PretrainedConfig, patches: Sequence[int], tokens: int, *, ahead: int = 0) -> float:
    """Of a forward pass over a prompt with pictures of so many patches; `ahead` of its tokens, and the pictures, are known.

    Two a weight and token, and four a pair of positions and channel in attention, of which a causal mask leaves half.
    """
    vision, text = shape.vision_config, shape.text_config
    width, merged = vision.hidden_size, vision.spatial_merge_size**2
    blocks = vision.depth * (4 * width**2 + 2 * width * vision.intermediate_size)
    merger = (merged * width) ** 2 + merged * width * vision.out_hidden_size
    mergers = (1 + len(vision.deepstack_visual_indexes)) * merger / merged
    seen = sum(2 * count * (blocks + mergers) + 4 * vision.depth * width * count**2 for count in patches)
    heads, shared = text.num_attention_heads * text.head_dim, text.num_key_value_heads * text.head_dim
    experts = getattr(text, "num_experts", 0)
    inner = text.num_experts_per_tok * text.moe_intermediate_size if experts else text.intermediate_size
    layer = text.hidden_size * (2 * heads + 2 * shared + 3 * inner + experts)
    pairs = (tokens**2 - ahead**2) / 2
    read = text.num_hidden_layers * (2 * (tokens - ahead) * layer + 4 * pairs * heads)
    return read + 2 * text.hidden_size * text.vocab_size + (0 if ahead else seen)


def pairs(count: int, side: int) -> list[tuple[Image.Image, ...]]:
    values = np.random.default_rng(0)
    return [tuple(Image.fromarray(values.integers(0, 256, (side, side, 3), np.uint8)) for _ in range(2)) for _ in range(count)]


def asked(shown: Sequence[tuple[Image.Image, ...]], plan: Plan, number: int = 0, *, shared: bool = False) -> list[Question]:
    text = f"{number}: " + "x" * max(plan.text - 60, 1)  # about 60 tokens are the template's
    common = {"criteria": (Criterion("score", 0, 10),), "shared": shared, "reused": (0, 1) if shared else ()}
    return [Question("key", pictures, text, "", **common) for pictures in shown]


def seconds(plan: Plan, call: Callable[[], object]) -> float:
    if plan.device == "cpu":
        began = time.process_time()
        call()
        return time.process_time() - began
    torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def measured(judge: Qwen3VLJudge, plan: Plan, batch: int) -> dict[str, Any]:
    """Pairs a second of one question each, the share of the floor, and what the CPU does ahead of it."""
    times, ahead = [], []
    for _ in range(plan.repeats + 1):  # the first warms up
        questions, began = asked(pairs(batch, plan.side), plan), time.process_time()
        prompts = judge.prepare(questions)
        ahead.append(time.process_time() - began)
        times.append(seconds(plan, lambda prompts=prompts: judge.answer(prompts)))
    patches = [int(picture.grid_thw.prod()) for picture in prompts[0].pixels]
    floor = operations(judge._model.config, patches, len(prompts[0])) / (plan.peak * 1e12)
    middle = median(times[1:])
    rates = {"pairs_a_second": batch / middle, "floor_ms": 1e3 * floor, "share_of_floor": batch * floor / middle}
    return {"batch": batch, **rates, "prepare_cpu_s": median(ahead[1:])}


def decode_step(judge: Qwen3VLJudge, plan: Plan, batch: int) -> dict[str, Any]:
    """Milliseconds a step of decoding: what replies take more than their first tokens, by step."""
    prompts = judge.prepare(asked(pairs(batch, plan.side), plan))
    times = {}
    for tokens in (plan.new_tokens, 1):
        with mock.patch.object(judge, "_settings", replace(judge._settings, max_new_tokens=tokens)):
            times[tokens] = min(seconds(plan, lambda: judge.answer(prompts)) for _ in range(plan.repeats + 1))
    return {"batch": batch, "step_ms": 1e3 * (times[plan.new_tokens] - times[1]) / (plan.new_tokens - 1)}


def decode_graph(judge: Qwen3VLJudge, plan: Plan, batch: int) -> dict[str, Any]:
    """The same as a CUDA graph, and whether its replies are those of the same steps launched one by one."""
    prompts = judge.prepare(asked(pairs(batch, plan.side), plan))
    with mock.patch.object(judge, "_settings", replace(judge._settings, cuda_graph=True)):
        replies = judge.answer(prompts)
        with mock.patch.object(cuda_graph, "captured", lambda step: step):
            equal = judge.answer(prompts) == replies
        return {**decode_step(judge, plan, batch), "equal": equal}


def sharing(judge: Qwen3VLJudge, plan: Plan, batch: int) -> dict[str, Any]:
    """Seconds for several questions about the same pictures, with what is known of them kept and without."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for repeat in range(plan.repeats + 1):
        for shares in times:
            judge._prefix_cache.enabled = shares
            shown = pairs(batch, plan.side)
            last = plan.questions - 1
            batches = [judge.prepare(asked(shown, plan, number, shared=number < last)) for number in range(plan.questions)]
            spent = seconds(plan, lambda batches=batches: [judge.answer(prepared) for prepared in batches])
            times[shares] += [spent] if repeat else []
    judge._prefix_cache.enabled = True
    on, off = median(times[True]), median(times[False])
    return {"batch": batch, "questions": plan.questions, "shared_s": on, "plain_s": off, "ratio": off / on}


def experts(judge: Qwen3VLJudge, plan: Plan, batch: int) -> dict[str, Any]:
    """Seconds a batch of replies with each form of the experts while they are written."""
    usual, times = judge._model.config.text_config._experts_implementation, {}
    for form in (loading.GROUPED, loading.BATCHED):
        with mock.patch.object(loading, "decoding_experts", return_value=nullcontext()):
            prepared = judge.prepare(asked(pairs(batch, plan.side), plan))
            judge._model.set_experts_implementation(form)
            times[form] = min(seconds(plan, lambda prepared=prepared: judge.answer(prepared)) for _ in range(2))
    judge._model.set_experts_implementation(usual)
    return {"batch": batch, **times}


def of_shape(folder: Path, shape: str, plan: Plan) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for readout in ("expected", "generate"):
        judge = random_judge(folder, shape, plan, readout)
        figures["notes"], figures["parameters"] = judge.notes, sum(one.numel() for one in judge._model.parameters())
        figures[readout] = [_or_too_large(measured, judge, plan, batch) for batch in plan.batches]
        figures[f"{readout}_sharing"] = [_or_too_large(sharing, judge, plan, batch) for batch in plan.batches]
        if readout == "generate":
            figures["decode_step"] = [_or_too_large(decode_step, judge, plan, batch) for batch in plan.batches]
        if readout == "generate" and plan.device != "cpu":
            figures["decode_graph"] = [_or_too_large(decode_graph, judge, plan, batch) for batch in plan.batches]
        if readout == "generate" and "num_experts" in SHAPES[shape][0]:
            figures["experts_whole_batch_s"] = [_or_too_large(experts, judge, plan, batch) for batch in plan.batches]
        del judge
        torch.cuda.empty_cache()
    return figures


def _or_too_large(measure: Callable[..., dict[str, Any]], judge: Qwen3VLJudge, plan: Plan, batch: int) -> dict[str, Any]:
    try:
        figures = measure(judge, plan, batch)
        sys.stderr.write(f"{measure.__name__} {judge._settings.readout} {figures}\n")
        return figures
    except torch.OutOfMemoryError:
        pass
    judge._prefix_cache.release()
    torch.cuda.empty_cache()
    return {"batch": batch, "too_large": True}


def main(
    shape: Annotated[list[str], typer.Option(help=f"Of {', '.join(SHAPES)}.")] = ["30b-a3b", "8b"],  # noqa: B006
    batch: Annotated[list[int], typer.Option(help="Pairs at once.")] = [1, 4, 8, 16, 32],  # noqa: B006
    device: str = "cuda",
    dtype: str = "bfloat16",
    side: int = 1024,
    new_tokens: int = 150,
    questions: int = 3,
    repeats: int = 3,
    peak: Annotated[float, typer.Option(help="TFLOP/s that large products reach on this device.")] = 790.0,
    quick: Annotated[bool, typer.Option("--tiny", help="A tiny model on the CPU: shows that it runs.")] = False,
    out: Annotated[Path | None, typer.Option(help="For the JSON; else it is printed.")] = None,
) -> None:
    """Measure, and print JSON."""
    plan = Plan(device=device, dtype=dtype, batches=tuple(batch), peak=peak)
    plan = TINY if quick else replace(plan, side=side, new_tokens=new_tokens, questions=questions, repeats=repeats)
    if plan.device == "cpu":
        torch.set_num_threads(1)
    name = "cpu" if plan.device == "cpu" else torch.cuda.get_device_name(plan.device)
    with tempfile.TemporaryDirectory() as work:
        folder = tiny.write(Path(work) / "tiny").judge
        shapes = {each: of_shape(folder, each, plan) for each in (["tiny"] if quick else shape)}
    document = {"device": name, "torch": torch.__version__, "peak_tflops": plan.peak, "shapes": shapes}
    text = json.dumps(document, indent=2)
    out.write_text(text + "\n") if out else sys.stdout.write(text + "\n")


if __name__ == "__main__":
    typer.run(main)
