"""How the small world's editor was made: a Qwen-Image-Edit of a few million weights, trained on the CPU."""
