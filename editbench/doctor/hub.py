"""Whether models can be downloaded: the Hugging Face hub, its cache and its login."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from editbench.doctor.check import NOTE, Check

PATIENCE = 5.0
"""Seconds to wait for the hub, its name's look-up included."""


def checks() -> Iterator[Check]:
    """No stage needs the hub: models may lie in its cache, or in folders."""
    try:
        from huggingface_hub import constants, get_token
    except ImportError:  # comes with transformers, which is told of
        return
    here = "kept" if get_token() else "none: models behind a form can't be downloaded"
    yield Check(what="hub login", here=here)
    if constants.HF_HUB_OFFLINE:
        remedy = "HF_HUB_OFFLINE is set: only models of the cache and of folders can be used. Unset it to download others."
        yield Check(what="hub", here="offline, by HF_HUB_OFFLINE", state=NOTE, remedy=remedy)
        return
    problem = within(PATIENCE, lambda: _ask(constants.ENDPOINT))
    remedy = "The hub does not answer: set HF_ENDPOINT or a proxy, or HF_HUB_OFFLINE=1 and use models of the cache or folders."
    yield Check(what="hub", here=f"no answer: {problem}" if problem else "reachable").but_if(bool(problem), remedy, NOTE)


def within(seconds: float, ask: Callable[[], str]) -> str:
    """What `ask` returns, or that it took longer: looking up a name knows no time-out of its own."""
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else f"nothing in {seconds:g} s"


def _ask(endpoint: str) -> str:
    """What is wrong; "" when the hub answers, whatever it says."""
    from huggingface_hub import get_session
    from huggingface_hub.errors import HfHubHTTPError

    errors: Any = HfHubHTTPError.__bases__  # OSError, and what its HTTP client raises (httpx, in some versions httpx2)
    try:
        get_session().head(endpoint, timeout=PATIENCE)
    except errors as error:
        return " ".join(str(error).split())[:160]
    return ""
