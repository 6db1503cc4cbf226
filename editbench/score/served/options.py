"""Options of a served judge. Imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from typer import Option

from editbench.errors import UserError
from editbench.urls import redacted

HOSTED = "openai"
"""Endpoint that stands for the address the `openai` client takes by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedOptions:
    """As they stand on the command line. What changes a reply goes into the identity by `parameters`."""

    endpoint: Annotated[
        tuple[str, ...],
        Option(metavar="URL|openai", help="The judge is served there (vLLM, SGLang, llama-server ...); repeatable."),
    ] = ()
    concurrency: Annotated[int, Option(min=1, help="Samples asked about at a time, over all endpoints.")] = 32
    image_format: Annotated[str, Option(metavar="png|jpeg:QUALITY", help="How pictures are sent to endpoints.")] = "png"
    prefill: Annotated[
        bool | None,
        Option("--prefill/--no-prefill", help="Endpoints go on from an answer's beginning; default: all but openai do."),
    ] = None
    request: Annotated[
        tuple[str, ...],
        Option(metavar="NAME=JSON", help='More in each request, such as reasoning_effort="low"; null leaves out; repeatable.'),
    ] = ()
    request_timeout: Annotated[float, Option(min=1, metavar="SECONDS", help="Longest wait for an endpoint's reply.")] = 600.0
    patience: Annotated[float, Option(min=0, metavar="SECONDS", help="Stop when no endpoint has answered for so long.")] = 300.0
    price_in: Annotated[float | None, Option(min=0, help="Price of a million tokens that are sent.")] = None
    price_out: Annotated[float | None, Option(min=0, help="Price of a million tokens that are written.")] = None

    def check(self) -> None:
        """Raises UserError for an option that can't be."""
        _ = self.jpeg_quality, self.more
        for url in self.endpoint:
            parts = urlsplit(url)
            if url != HOSTED and not (parts.scheme in ("http", "https") and parts.hostname):
                raise UserError(f"--endpoint {redacted(url)} is no address", "Give for example http://node1:8000/v1.")
        if len(set(self.endpoint)) != len(self.endpoint):
            raise UserError("an --endpoint is named twice", "Name each once.")
        if (self.price_in is None) != (self.price_out is None):
            given, other = ("in", "out") if self.price_out is None else ("out", "in")
            raise UserError(f"--price-{given} without --price-{other}", f"Give both; --price-{other} 0 if that is free.")

    @property
    def jpeg_quality(self) -> int | None:
        """None for PNG. Raises UserError."""
        if self.image_format == "png":
            return None
        match = re.fullmatch(r"jpeg:([0-9]{1,3})", self.image_format)
        if not match or not 1 <= int(match[1]) <= 100:
            raise UserError(f"--image-format {self.image_format} is unknown", "Give png, or jpeg:1 to jpeg:100.")
        return int(match[1])

    @property
    def more(self) -> dict[str, Any]:
        """What `request` adds to each request, by name. Raises UserError."""
        pairs: dict[str, Any] = {}
        for text in self.request:
            name, _, value = text.partition("=")
            try:
                pairs[name] = orjson.loads(value)
                orjson.dumps(pairs)  # writes fewer levels of nesting than it reads
            except (orjson.JSONDecodeError, orjson.JSONEncodeError):
                name = ""
            if name in ("", "model", "messages", "stream", "n"):
                remedy = "Give NAME=JSON, such as top_p=0.9 or reasoning_effort='\"low\"'."
                raise UserError(f"--request {text} can't be added to a request", remedy)
        return pairs

    @property
    def goes_on(self) -> bool:
        """Whether the endpoints go on from the beginning of an answer that they are sent."""
        return HOSTED not in self.endpoint if self.prefill is None else self.prefill

    @property
    def parameters(self) -> dict[str, Any]:
        """What changes replies."""
        return {"image_format": self.image_format, "prefill": self.goes_on, "request": self.more}
