"""Qwen3-VL as a judge in this process, through transformers' own model: the fast path.

judge           what a question's images and text become, and what is read of the model's output
loading         the model with the quickest attention and experts that work here
prefix_cache    the forward passes; prompts about the same images share the KV cache of what they begin with
decode_cache    the KV cache while a reply is decoded
patches         pictures resized on the CPU, cut into patches and normalised on the device
per_image       what was computed of images, for as long as they live
"""
