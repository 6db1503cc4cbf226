"""What the training of the editor counts on: its quick ways are those of the pipeline, and its weights begin as a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("skimage")

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageEditPlusPipeline
from PIL import Image
from torch.nn import functional

from editbench.world.benchmark import samples
from editbench.world.training.editor import autoencoder, checkpoint, network, pairs
from editbench.world.training.editor.prompts import Prompts
from editbench.world.training.editor.words import FIELDS, meant


@pytest.fixture(scope="module")
def parts() -> checkpoint.Parts:
    torch.manual_seed(0)
    return checkpoint.parts()


def test_latents_are_what_the_autoencoder_makes_of_a_picture() -> None:
    small = torch.rand(1, 3, 32, 32) * 2 - 1
    scaled = functional.interpolate(small, scale_factor=8)
    with torch.no_grad():
        encoded = autoencoder.autoencoder().encode(scaled[:, :, None]).latent_dist.mode()[:, :, 0]
    assert torch.allclose(encoded, autoencoder.latents(small), atol=0.05)


def test_latents_keep_the_size_of_errors() -> None:
    grey = torch.rand(1, 1, 32, 32).expand(-1, 3, -1, -1)
    assert autoencoder.latents(grey).square().sum() == pytest.approx(grey.square().sum().item(), rel=1e-4)


def test_prompts_are_embedded_as_the_pipeline_does_it(parts: checkpoint.Parts) -> None:
    vae, scheduler = autoencoder.autoencoder(), FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    pipeline = QwenImageEditPlusPipeline(scheduler=scheduler, vae=vae, **parts._asdict())
    sentences = [sample.instruction for sample in samples()[:2]]
    with torch.no_grad():
        embedded, mask = Prompts(parts.processor, parts.text_encoder)(sentences)
        for row, sentence in enumerate(sentences):
            (expected,), _ = pipeline.encode_prompt(sentence, [Image.new("RGB", (384, 384), "red")])
            assert torch.allclose(embedded[row][mask[row]], expected, atol=1e-5)


def test_an_untrained_transformer_copies_the_source(parts: checkpoint.Parts) -> None:
    source = autoencoder.latents(torch.rand(1, 3, autoencoder.PIXELS, autoencoder.PIXELS) * 2 - 1)
    tokens, noise = network.packed(source), torch.randn(1, network.GRID**2, network.PATCH)
    words = torch.randn(1, 20, network.HIDDEN), torch.ones(1, 20, dtype=torch.bool)
    with torch.no_grad():
        velocity = network.edited(parts.transformer, noise, tokens * autoencoder.GAIN, torch.ones(1), words)
    assert (velocity / autoencoder.GAIN + tokens).square().mean() < 0.02 * tokens.square().mean()


def test_pairs_are_read_as_they_were_written_and_are_not_the_benchmarks(tmp_path: Path) -> None:
    pairs.write(tmp_path, "test", 3, ("ground", "season"))
    known = pairs.read(tmp_path)
    assert [one.family for one in known.asked] == ["ground", "season", "ground"]
    assert known.pictures.shape == (3, 2, 256, 256, 3)
    assert all((source != right).any() for source, right in known.pictures)
    assert not {sample.instruction for sample in samples()} & {text for one in known.asked for text in one.sentences}


def test_a_noun_within_another_is_not_what_is_meant() -> None:
    meanings = {
        noun: [values[number] for values, number in zip(FIELDS.values(), meant(["grow", f"the left {noun}"]), strict=True)]
        for noun in ("ball", "balloon")
    }
    assert meanings == {noun: ["grow", "left", noun, ""] for noun in meanings}
