"""editbench: run, judge and compare image-editing models, in stages that hand over on disk."""

__version__ = "0.1.0"
