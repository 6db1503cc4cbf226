"""The training's own quick forward pass is that of the class, on what the project's processor makes of pictures and prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("skimage")

import torch
from PIL import Image

from editbench.score.judge import JudgeSettings, Question
from editbench.score.qwen3vl.judge import Qwen3VLJudge
from editbench.world.chance import Pool
from editbench.world.training import lessons
from editbench.world.training.__main__ import schedule
from editbench.world.training.data import Lessons, batch
from editbench.world.training.lessons import Group
from editbench.world.training.network import Learner, Sizes
from editbench.world.training.tokens import Prompts, ask_of

SMALL = Sizes(hidden=32, layers=5, inner=32, heads=2, vision_hidden=16, vision_layers=2)
PHOTOGRAPHS = [Image.radial_gradient("L").convert("RGB"), Image.linear_gradient("L").convert("RGB")]


@pytest.fixture(scope="module")
def learner() -> Learner:
    torch.manual_seed(0)
    return Learner(SMALL).eval()


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return [*lessons.groups(Pool(PHOTOGRAPHS, held_out=False), "test", 2, 4)]


def test_both_readouts_are_learned_as_the_judge_reads_them(learner: Learner, groups: list[Group], tmp_path: Path) -> None:
    """What the judge finds behind its own prompt, and writes after it, is what the training's forward pass says."""
    learner.save(tmp_path)
    made = batch(groups, Prompts(learner.processor, SMALL.tokens), SMALL)
    pair, pictures = groups[0].pairs[0], groups[0].pictures
    with torch.no_grad():
        learner.net.to(torch.bfloat16).float()  # as they are saved
        logits, *_ = learner(made)
    branches = made.branches[0][made.labels[0] >= 0].tolist()
    for branch, readout in enumerate(("expected", "generate"), 1):
        judge = Qwen3VLJudge(tmp_path, JudgeSettings(device="cpu", dtype="float32", readout=readout, max_new_tokens=1))
        ask = ask_of(pair.instruction, pair.language, readout)
        shown = (pictures[pair.source], pictures[pair.edited])
        (reply,) = judge.answer(judge.prepare([Question("key", shown, ask.text, ask.answer_prefix, ask.criteria)]))
        first = logits[branches.index(branch)]
        if readout == "expected":
            digits = [learner.processor.tokenizer.convert_tokens_to_ids(str(digit)) for digit in range(10)]
            found = reply.distributions["score"]
            there = first.softmax(-1)[digits]
            assert found[0] == pytest.approx(there[0].item(), rel=1e-3)
            assert found[1] + found[10] == pytest.approx(there[1].item(), rel=1e-3)
        else:
            assert reply.text == learner.processor.tokenizer.decode([int(first.argmax())], skip_special_tokens=True)


def test_rows_do_not_depend_on_those_beside_them(learner: Learner, groups: list[Group]) -> None:
    prompts = Prompts(learner.processor, SMALL.tokens)
    with torch.no_grad():
        together = learner(batch(groups, prompts, SMALL))[0]
        alone = learner(batch(groups[:1], prompts, SMALL))[0]
    assert torch.allclose(together[: len(alone)], alone, atol=1e-5)


def test_a_run_goes_on_with_the_lessons_it_would_have_had() -> None:
    whole = [*Lessons(SMALL, "seed", 0, 0, 3, 1, 2)]
    rest = [*Lessons(SMALL, "seed", 0, 2, 3, 1, 2)]
    assert all(torch.equal(one, other) for one, other in zip(whole[2], rest[0], strict=True))


def test_learning_rate_rises_stays_and_falls() -> None:
    rates = [schedule(step, 10_000) for step in (0, 99, 5_000, 8_500, 9_999)]
    assert rates[1] == rates[2] == 1
    assert 0 < rates[0] < 0.05
    assert 0 < rates[4] < 0.01 < rates[3] < 1
