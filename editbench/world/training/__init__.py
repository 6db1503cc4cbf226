"""How the tiny judge of the small world was trained: `python -m editbench.world.training --help`. Needs scikit-image."""
