"""Edit pipelines of diffusers with random weights, small enough for a CPU and laid out as published checkpoints are.

    python tests/edit/tiny_pipelines.py OUT [CLASS ...]

Each is built from configs and saved with `save_pretrained`. Those of `MAKERS` are seen to run (tests/edit/test_pipelines.py).
"""

from __future__ import annotations

import string
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers as d
import torch
import transformers as t
from tokenizers.pre_tokenizers import ByteLevel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from editbench import tiny
from editbench.edit import preparation
from editbench.processors import still_images_only

PIXELS = {"shortest_edge": 4_096, "longest_edge": 16_777_216}
ROPE = {"mrope_section": [1, 1, 2], "rope_theta": 1e6}
SIGMAS = [1.0, 0.8, 0.6, 0.4, 0.2]


def qwen_tokenizer() -> Any:
    tokenizer = tiny._tokenizer()
    tokenizer.chat_template = tiny.CHAT_TEMPLATE
    return tokenizer


def clip_tokenizer() -> Any:
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return t.CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77)


def t5_tokenizer() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in string.printable if letter.strip()]
    return t.T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def clip_text(words: int, kind: Any = t.CLIPTextModel, **more: Any) -> Any:
    ids = {"bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1, "vocab_size": words}
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 3, "projection_dim": 32}
    return kind(t.CLIPTextConfig(**ids, **sizes, hidden_act="gelu", **more)).eval()


def t5_text(words: int, kind: Any = t.T5EncoderModel, config: Any = t.T5Config) -> Any:
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 4}
    return kind(config(vocab_size=words + 8, **sizes)).eval()


def qwen25_vl(tokenizer: Any) -> Any:
    vision = tiny._vision_config(fullatt_block_indexes=[1], patch_size=14, window_size=112)
    text = tiny._text_config(tokenizer, ROPE)
    config = t.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **tiny._token_ids(tokenizer))
    return t.Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen3_vl(tokenizer: Any, layers: int = 2) -> Any:
    config = tiny._judge_config(tokenizer)
    config.text_config.num_hidden_layers = layers
    return t.Qwen3VLForConditionalGeneration(config).eval()


def processor(tokenizer: Any, kind: Any, **options: Any) -> Any:
    return still_images_only(kind)(Qwen2VLImageProcessorPil(**options), tokenizer, chat_template=tiny.CHAT_TEMPLATE)


def qwen2_processor(tokenizer: Any) -> Any:
    return processor(tokenizer, t.Qwen2VLProcessor)


def qwen3_processor(tokenizer: Any) -> Any:
    return processor(tokenizer, t.Qwen3VLProcessor, patch_size=16, size=PIXELS)


def flow(**options: Any) -> Any:
    return d.FlowMatchEulerDiscreteScheduler(**options)


def vae(kind: Any = d.AutoencoderKL, channels: int = 4, **more: Any) -> Any:
    """Scales by eight."""
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    sizes = {"sample_size": 32, "block_out_channels": (8,) * 4, "layers_per_block": 1, "norm_num_groups": 1}
    quant = {"use_quant_conv": False, "use_post_quant_conv": False}
    return kind(latent_channels=channels, **blocks, **sizes, **{**quant, **more})


def shifted_vae(channels: int = 4) -> Any:
    return vae(channels=channels, shift_factor=0.06, scaling_factor=1.5)


def wan_vae() -> Any:
    sizes = {"base_dim": 3, "z_dim": 16, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}
    return d.AutoencoderKLWan(**sizes, temperal_downsample=[False, True, True])


def qwen_image(kind: Any, **more: Any) -> Any:
    tokenizer = qwen_tokenizer()
    sizes = {"num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 32}
    channels = {"patch_size": 2, "in_channels": 64, "out_channels": 16, "axes_dims_rope": (4, 6, 6)}
    coder = {"base_dim": 8, "z_dim": 16, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1}
    return kind(
        scheduler=flow(use_dynamic_shifting=True),
        vae=d.AutoencoderKLQwenImage(**coder, temperal_downsample=[False, True, True]),
        text_encoder=qwen25_vl(tokenizer),
        tokenizer=tokenizer,
        transformer=d.QwenImageTransformer2DModel(**sizes, **channels),
        **more,
    )


def qwen_image_21(sigmas: list[float] | None = None) -> Any:
    tokenizer = qwen_tokenizer()
    sizes = {"num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2, "context_in_dim": 32}
    channels = {"patch_size": 1, "in_channels": 64, "out_channels": 64, "axes_dims_rope": (4, 6, 6)}
    return d.QwenImage21Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=d.AutoencoderKLQwenImage21(base_dim=8, decoder_base_dim=8, num_res_blocks=1),
        text_encoder=qwen3_vl(tokenizer),
        processor=qwen3_processor(tokenizer),
        transformer=d.QwenImage21Transformer2DModel(**sizes, **channels),
        sample_sigmas=sigmas,
    )


def flux_transformer(kind: Any, text: int, **more: Any) -> Any:
    sizes = {"num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2, "patch_size": 1}
    return kind(**sizes, joint_attention_dim=text, **{"in_channels": 16, **more})


def flux(kind: Any) -> Any:
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    text = {"pooled_projection_dim": 32, "axes_dims_rope": [4, 4, 8], "guidance_embeds": True}
    return kind(
        scheduler=flow(use_dynamic_shifting=True),
        text_encoder=clip_text(len(clip)),
        text_encoder_2=t5_text(len(t5)),
        tokenizer=clip,
        tokenizer_2=t5,
        transformer=flux_transformer(d.FluxTransformer2DModel, 32, **text),
        vae=shifted_vae(),
    )


def flux2_transformer(text: int, guidance: bool) -> Any:
    sizes = {"timestep_guidance_channels": 256, "axes_dims_rope": [4, 4, 4, 4], "guidance_embeds": guidance}
    return flux_transformer(d.Flux2Transformer2DModel, text, **sizes)


def flux2_klein(kind: Any = d.Flux2KleinPipeline, **more: Any) -> Any:
    tokenizer = qwen_tokenizer()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 28, "num_attention_heads": 2, "head_dim": 8}
    config = t.Qwen3Config(**sizes, num_key_value_heads=2, vocab_size=len(tokenizer), max_position_embeddings=4096)
    return kind(
        scheduler=flow(use_dynamic_shifting=True),
        text_encoder=t.Qwen3ForCausalLM(config).eval(),
        tokenizer=tokenizer,
        transformer=flux2_transformer(48, guidance=False),
        vae=vae(d.AutoencoderKLFlux2),
        **more,
    )


def flux2() -> Any:
    preparation._import_pixtral()
    pixtral = sys.modules["transformers"]
    tokenizer = qwen_tokenizer()
    tokenizer.add_tokens(["[IMG]", "[IMG_BREAK]", "[IMG_END]"], special_tokens=True)
    heads = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "head_dim": 8}
    text = {"model_type": "mistral", "num_hidden_layers": 32, "num_key_value_heads": 2, "vocab_size": len(tokenizer), **heads}
    vision = {"model_type": "pixtral", "num_hidden_layers": 1, "image_size": 28, "patch_size": 14, **heads}
    config = t.Mistral3Config(text_config=text, vision_config=vision, image_token_index=len(tokenizer) - 3)
    images = t.PixtralImageProcessorPil(patch_size=14)
    return d.Flux2Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        text_encoder=t.Mistral3ForConditionalGeneration(config).eval(),
        tokenizer=pixtral.PixtralProcessor(images, tokenizer, patch_size=14, chat_template=tiny.CHAT_TEMPLATE),
        transformer=flux2_transformer(48, guidance=True),
        vae=vae(d.AutoencoderKLFlux2),
    )


def longcat() -> Any:
    tokenizer = qwen_tokenizer()
    text = {"pooled_projection_dim": 32, "axes_dims_rope": [4, 6, 6], "in_channels": 64}
    return d.LongCatImageEditPipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=shifted_vae(channels=16),
        text_encoder=qwen25_vl(tokenizer),
        tokenizer=tokenizer,
        text_processor=qwen2_processor(tokenizer),
        transformer=flux_transformer(d.LongCatImageTransformer2DModel, 32, **text),
    )


def joy_image(kind: Any, transformer: Any) -> Any:
    tokenizer = qwen_tokenizer()
    sizes = {"hidden_size": 32, "num_attention_heads": 2, "text_dim": 32, "num_layers": 1, "rope_dim_list": [4, 6, 6]}
    return kind(
        scheduler=flow(),
        vae=wan_vae(),
        text_encoder=qwen3_vl(tokenizer),
        tokenizer=tokenizer,
        transformer=transformer(patch_size=[1, 2, 2], in_channels=16, **sizes),
        processor=qwen3_processor(tokenizer),
    )


def dream_lite(kind: Any) -> Any:
    tokenizer = qwen_tokenizer()
    down = ("DreamLiteCrossAttnNoSelfAttnDownBlock2D", "DreamLiteCrossAttnDownBlock2D")
    up = ("DreamLiteCrossAttnUpBlock2D", "DreamLiteUpBlock2D")
    sizes = {"block_out_channels": (32, 64), "cross_attention_dim": 32, "attention_head_dim": 8, "layers_per_block": 1}
    coder = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    return kind(
        text_encoder=qwen3_vl(tokenizer),
        tokenizer=tokenizer,
        processor=qwen3_processor(tokenizer),
        vae=d.AutoencoderTiny(**coder, num_encoder_blocks=(1,) * 4, num_decoder_blocks=(1,) * 4),
        unet=d.DreamLiteUNetModel(down_block_types=down, up_block_types=up, **sizes, norm_num_groups=8),
        scheduler=flow(),
    )


def kandinsky5() -> Any:
    qwen, clip = qwen_tokenizer(), clip_tokenizer()
    sizes = {"time_dim": 16, "model_dim": 16, "ff_dim": 32, "num_text_blocks": 1, "num_visual_blocks": 1}
    channels = {"in_visual_dim": 16, "out_visual_dim": 16, "in_text_dim": 32, "in_text_dim2": 32, "axes_dims": (1, 1, 2)}
    return d.Kandinsky5I2IPipeline(
        scheduler=flow(shift=7.0),
        vae=shifted_vae(channels=16),
        text_encoder=qwen25_vl(qwen),
        tokenizer=qwen2_processor(qwen),
        text_encoder_2=clip_text(len(clip)),
        tokenizer_2=clip,
        transformer=d.Kandinsky5Transformer3DModel(**sizes, **channels, visual_cond=True),
    )


def chrono_edit() -> Any:
    t5 = t5_tokenizer()
    sizes = {"num_attention_heads": 2, "attention_head_dim": 12, "text_dim": 32, "ffn_dim": 32, "num_layers": 1}
    vision = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}
    config = t.CLIPVisionConfig(intermediate_size=16, **vision)
    return d.ChronoEditPipeline(
        scheduler=flow(shift=7.0),
        vae=wan_vae(),
        text_encoder=t5_text(len(t5), t.UMT5EncoderModel, t.UMT5Config),
        tokenizer=t5,
        image_encoder=t.CLIPVisionModel(config).eval(),
        image_processor=t.CLIPImageProcessorPil(crop_size=32, size=32),
        transformer=d.ChronoEditTransformer3DModel(in_channels=36, out_channels=16, image_dim=8, **sizes),
    )


def bria_fibo2() -> Any:
    tokenizer = qwen_tokenizer()
    sizes = {"dim": 32, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 2, "cap_feat_dim": 96, "perceiver_num_layers": 1}
    layers = {"injection_layer_ids": (0, 0, 1, 1, 1), "axes_dims": (4, 6, 6), "axes_lens": (2048, 64, 64)}
    return d.BriaFibo2Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=vae(d.AutoencoderKLFlux2),
        text_encoder=qwen3_vl(tokenizer, layers=36),
        processor=qwen3_processor(tokenizer),
        transformer=d.BriaFibo2Transformer2DModel(in_channels=4, **sizes, **layers),
    )


def bria_fibo_edit() -> Any:
    tokenizer = qwen_tokenizer()
    text = {"text_encoder_dim": 16, "pooled_projection_dim": None, "axes_dims_rope": [0, 8, 8]}
    coder = {"base_dim": 8, "decoder_base_dim": 8, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1, "z_dim": 16}
    sizes = {"in_channels": 12, "out_channels": 12, "patch_size": 2, "scale_factor_spatial": 16, "is_residual": True}
    words = {"vocab_size": 128_001, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1}  # the pipeline's own last id
    language = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return d.BriaFiboEditPipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=d.AutoencoderKLWan(**coder, **sizes, temperal_downsample=[False, True, True]),
        text_encoder=t.SmolLM3ForCausalLM(t.SmolLM3Config(**language, num_key_value_heads=2, **words)).eval(),
        tokenizer=tokenizer,
        transformer=flux_transformer(d.BriaFiboTransformer2DModel, 32, **text),
    )


def z_image(kind: Any, **sight: Any) -> Any:
    tokenizer = qwen_tokenizer()
    sizes = {"dim": 32, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2, "cap_feat_dim": 32}
    heads = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = t.Qwen3Config(**heads, num_key_value_heads=2, head_dim=16, vocab_size=len(tokenizer))
    return kind(
        scheduler=flow(shift=3.0),
        vae=shifted_vae(channels=16),
        text_encoder=t.Qwen3Model(config).eval(),
        tokenizer=tokenizer,
        transformer=d.ZImageTransformer2DModel(**sizes, siglip_feat_dim=32 if sight else None, axes_dims=[4, 6, 6]),
        **sight,
    )


def z_image_omni() -> Any:
    heads = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    siglip = t.Siglip2VisionModel(t.Siglip2VisionConfig(**heads, num_patches=256, patch_size=16)).eval()
    images = t.Siglip2ImageProcessorPil(patch_size=16, max_num_patches=64)
    return z_image(d.ZImageOmniPipeline, siglip=siglip, siglip_processor=images)


def unet(channels: int, **more: Any) -> Any:
    blocks = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    sizes = {"block_out_channels": (32, 64), "layers_per_block": 1, "sample_size": 32, "cross_attention_dim": 32}
    return d.UNet2DConditionModel(in_channels=channels, out_channels=4, **blocks, **{**sizes, **more})


def stable_diffusion(kind: Any, channels: int, scheduler: Any = d.EulerAncestralDiscreteScheduler) -> Any:
    tokenizer = clip_tokenizer()
    return kind(
        unet=unet(channels),
        scheduler=scheduler(),
        vae=vae(use_quant_conv=True, use_post_quant_conv=True),
        text_encoder=clip_text(len(tokenizer)),
        tokenizer=tokenizer,
        safety_checker=None,
        feature_extractor=t.CLIPImageProcessorPil(crop_size=32, size=32),
        requires_safety_checker=False,
    )


def stable_diffusion_xl(kind: Any, channels: int) -> Any:
    tokenizer = clip_tokenizer()
    added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 80}
    return kind(
        unet=unet(channels, **{**added, "cross_attention_dim": 64}),
        scheduler=d.EulerDiscreteScheduler(),
        vae=vae(use_quant_conv=True, use_post_quant_conv=True),
        text_encoder=clip_text(len(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=clip_text(len(tokenizer), t.CLIPTextModelWithProjection),
        tokenizer_2=tokenizer,
    )


MAKERS: dict[str, Callable[[], Any]] = {
    "BriaFibo2Pipeline": bria_fibo2,
    "BriaFiboEditPipeline": bria_fibo_edit,
    "ChronoEditPipeline": chrono_edit,
    "DreamLiteMobilePipeline": lambda: dream_lite(d.DreamLiteMobilePipeline),
    "DreamLitePipeline": lambda: dream_lite(d.DreamLitePipeline),
    "Flux2KleinKVPipeline": lambda: flux2_klein(d.Flux2KleinKVPipeline),
    "Flux2KleinPipeline": lambda: flux2_klein(is_distilled=True),
    "Flux2Pipeline": flux2,
    "FluxImg2ImgPipeline": lambda: flux(d.FluxImg2ImgPipeline),
    "FluxKontextPipeline": lambda: flux(d.FluxKontextPipeline),
    "JoyImageEditPipeline": lambda: joy_image(d.JoyImageEditPipeline, d.JoyImageEditTransformer3DModel),
    "JoyImageEditPlusPipeline": lambda: joy_image(d.JoyImageEditPlusPipeline, d.JoyImageEditPlusTransformer3DModel),
    "Kandinsky5I2IPipeline": kandinsky5,
    "LongCatImageEditPipeline": longcat,
    "QwenImage21Pipeline": lambda: qwen_image_21(SIGMAS),
    "QwenImageEditPipeline": lambda: qwen_image(d.QwenImageEditPipeline, processor=qwen2_processor(qwen_tokenizer())),
    "QwenImageImg2ImgPipeline": lambda: qwen_image(d.QwenImageImg2ImgPipeline),
    "StableDiffusionImg2ImgPipeline": lambda: stable_diffusion(d.StableDiffusionImg2ImgPipeline, 4, d.HeunDiscreteScheduler),
    "StableDiffusionInstructPix2PixPipeline": lambda: stable_diffusion(d.StableDiffusionInstructPix2PixPipeline, 8),
    "StableDiffusionXLImg2ImgPipeline": lambda: stable_diffusion_xl(d.StableDiffusionXLImg2ImgPipeline, 4),
    "StableDiffusionXLInstructPix2PixPipeline": lambda: stable_diffusion_xl(d.StableDiffusionXLInstructPix2PixPipeline, 8),
    "ZImageImg2ImgPipeline": lambda: z_image(d.ZImageImg2ImgPipeline),
    "ZImageOmniPipeline": z_image_omni,
}
"""By pipeline class."""


def write(name: str, folder: Path) -> None:
    """The tiny checkpoint of a class, with the video processors that published ones have."""
    torch.manual_seed(0)
    made = MAKERS[name]()
    made.save_pretrained(folder)
    for component, part in made.components.items():
        kind = type(part).__name__
        if kind in ("Qwen2VLProcessor", "Qwen3VLProcessor"):
            patch = 16 if "3" in kind else 14
            tiny._write_video_processor(folder / component, kind.replace("Processor", "VideoProcessor"), patch_size=patch)


if __name__ == "__main__":
    for class_name in sys.argv[2:] or MAKERS:
        write(class_name, Path(sys.argv[1]) / class_name)
