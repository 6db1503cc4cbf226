"""Several endpoints side by side: the free one first, one that dies is left out and tried again.

A request that gets no reply is sent again, by any endpoint: at once where its endpoint is gone, else when the endpoint takes
requests again. An endpoint that is overloaded or broken rests for as long as it asks for, else twice as long each time.
One that can't be reached gets no request before it answers a probe.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from editbench.errors import EditbenchError, StageError
from editbench.fleet.status import EndpointLoad
from editbench.score.served.completion import Completion
from editbench.score.served.endpoint import Endpoint, Rejected, Unavailable, Unusable
from editbench.usage import Usage

TRIES = 5
"""Of one request, not counting those that were too many for the server."""
REJECTIONS = 10
"""Requests that servers may refuse before any has been answered: then it is not the samples' fault."""
BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
"""Seconds that an endpoint rests for after a failure, and at most."""
_SMOOTHING = 0.2


class Halted(Exception):
    """The run is to end: no more requests are sent."""


@dataclass
class EndpointState:
    """What is known of an endpoint, for the pool and for people."""

    endpoint: Endpoint
    in_flight: int = 0
    replies: int = 0
    errors: int = 0
    latency: float = 0.0
    """Seconds a reply, the newest counting most."""
    _busy: float = 0.0
    """Seconds in which it had a request, up to when it last had none."""
    _busy_since: float = 0.0
    usage: Usage = field(default_factory=Usage)
    down: bool = False
    last_error: str = ""
    failures: int = 0
    """Since the last reply."""
    resumes: float = 0.0
    """On the monotonic clock, when it takes requests again."""

    def take(self) -> None:
        """A request is sent there."""
        if not self.in_flight:
            self._busy_since = time.monotonic()
        self.in_flight += 1

    def give_back(self) -> None:
        """A request has ended, somehow."""
        self.in_flight -= 1
        if not self.in_flight:
            self._busy += time.monotonic() - self._busy_since

    @property
    def seconds(self) -> float:
        """In which it had a request."""
        return self._busy + (time.monotonic() - self._busy_since if self.in_flight else 0.0)

    @property
    def load(self) -> EndpointLoad:
        pace = self.usage.written / max(self.seconds, 1e-9)
        return EndpointLoad(self.in_flight, round(self.latency, 3), round(pace, 1), self.errors)


class EndpointPool:
    """Asked by several threads. `patience`: seconds without any reply after which the run is halted."""

    def __init__(self, endpoints: Sequence[Endpoint], patience: float) -> None:
        self.states = [EndpointState(endpoint) for endpoint in endpoints]
        self.error: EditbenchError | None = None
        """Why the run is halted, if it is."""
        self._stopping = False
        self._patience = patience
        self._rejections = 0
        self._answered = time.monotonic()
        self._changed = threading.Condition()

    @property
    def stopping(self) -> bool:
        """Whether no new samples are to be begun."""
        return self._stopping or self.error is not None

    def stop(self) -> None:
        """Let samples under way be finished, unless they would have to wait for an endpoint."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def halt(self, error: EditbenchError) -> None:
        """End the run with this error, or with that of an earlier call."""
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()

    def ask(self, request: Mapping[str, Any]) -> tuple[Completion, EndpointState]:
        """The reply, and whose it is.

        Raises:
            Unavailable: TRIES were in vain.
            Rejected: the request is refused.
            Halted: the run is to end.
        """
        tries = 0
        while True:
            state = self._acquire()
            began = time.monotonic()
            try:
                completion = state.endpoint.complete(request)
            except Unavailable as error:
                self._failed(state, error)
                tries += error.counted
                if tries >= TRIES:
                    raise
            except Rejected as error:
                self._rejected(state, error)
                raise
            except Unusable as error:
                self._release(state)
                self.halt(error)
                raise Halted from None
            else:
                self._succeeded(state, completion, time.monotonic() - began)
                return completion, state

    def _acquire(self) -> EndpointState:
        """The endpoint for the next request, which is counted as in flight there."""
        while True:
            with self._changed:
                state = self._ready()
                if state is None:
                    self._wait()
                    continue
                if not state.down:
                    state.take()
                    return state
                self._rest(state)  # meanwhile no other thread probes it
            if state.endpoint.alive():
                with self._changed:
                    state.down, state.resumes = False, 0.0
                    self._changed.notify_all()

    def _ready(self) -> EndpointState | None:
        """The endpoint with the fewest requests in flight, the quicker of equal ones; one that is to be probed comes first."""
        if self.error:
            raise Halted
        now = time.monotonic()
        ready = [state for state in self.states if state.resumes <= now]
        return min(ready, key=lambda state: (not state.down, state.in_flight, state.latency), default=None)

    def _wait(self) -> None:
        """Until an endpoint may take requests, or something changes. Raises Halted."""
        if self._stopping:
            raise Halted
        now = time.monotonic()
        if now - self._answered > self._patience and not any(state.in_flight for state in self.states):
            last = "; ".join(f"{state.endpoint.name}: {state.last_error}" for state in self.states)
            remedy = "Mend them and run the same command again; what was finished is kept. --patience waits longer."
            self.halt(StageError(f"no endpoint has answered for {self._patience:g} s: {last}", remedy))
            raise Halted
        self._changed.wait(min(max(min(state.resumes for state in self.states) - now, 0.01), 1.0))

    def _rest(self, state: EndpointState, wait: float | None = None) -> None:
        state.failures += 1
        doubled = min(BACKOFF * 2 ** min(state.failures - 1, 16), LONGEST_BACKOFF)
        seconds = wait if wait is not None else doubled * random.uniform(0.5, 1.0)
        state.resumes = max(state.resumes, time.monotonic() + seconds)

    def _failed(self, state: EndpointState, error: Unavailable) -> None:
        with self._changed:
            state.give_back()
            state.errors += 1
            state.last_error = str(error)
            # Of many requests that fail together only the first sends the endpoint to rest.
            if state.resumes <= time.monotonic() or error.wait is not None:
                self._rest(state, error.wait)
            state.down = state.down or error.down
            self._changed.notify_all()

    def _rejected(self, state: EndpointState, error: Rejected) -> None:
        self._release(state)
        with self._changed:
            state.errors += 1
            state.last_error = str(error)
            self._rejections += 1
            hopeless = self._rejections >= REJECTIONS and not any(each.replies for each in self.states)
        if hopeless:
            remedy = "Does the model take pictures? --no-prefill and --request NAME=null leave out what a server does not know."
            self.halt(StageError(f"{state.endpoint.name} takes no request: {error}", remedy))

    def _succeeded(self, state: EndpointState, completion: Completion, seconds: float) -> None:
        with self._changed:
            self._answered = time.monotonic()
            state.give_back()
            state.failures, state.down, state.resumes = 0, False, 0.0
            state.latency = seconds if not state.replies else state.latency + _SMOOTHING * (seconds - state.latency)
            state.replies += 1
            state.usage += completion.usage
            self._changed.notify_all()

    def _release(self, state: EndpointState) -> None:
        with self._changed:
            state.give_back()
            self._changed.notify_all()
