from __future__ import annotations

import pytest

SHORT = """
name = "short"
version = 1
scale = [0, 10]
languages = ["en"]
any_category = true
score = "score"
[criteria.score]
range = [0, 10]
[questions.edit]
images = ["source", "edited"]
criteria = ["score"]
text.en = "Is this done: {instruction}? As it should be: {reference_text}?"
[form.en]
generate = ""
expected = ""
[answer_prefix]
generate = ""
expected = "Score: "
[headline]
aggregate = "micro"
"""


@pytest.fixture
def short_rubric() -> str:
    """A rubric of a few words: in the tiny judge's tokenizer each byte is a token."""
    return SHORT
