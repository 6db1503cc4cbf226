"""Judges behind an HTTP endpoint that speaks the OpenAI chat API. No torch is imported."""
