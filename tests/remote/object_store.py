"""A real S3 server on a free port (moto's), which can be told to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


class Request(NamedTuple):
    method: str
    path: str
    range: str


class ObjectStore:
    """`fails(request)` says which requests are answered with 503; `requests` are all that came, `failed` those."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.fails: Callable[[Request], bool] = lambda _: False
        self.requests: list[Request] = []
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What a client finds the server by. It tries once: what is asked for again is then our own doing."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.port}",
            "AWS_ACCESS_KEY_ID": "anna",
            "AWS_SECRET_ACCESS_KEY": "hush-hush",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
        }

    @property
    def client(self) -> Any:
        address, key, secret, region, _ = self.environment.values()
        return boto3.client("s3", endpoint_url=address, aws_access_key_id=key, aws_secret_access_key=secret, region_name=region)

    def names(self, url: str) -> list[str]:
        """What lies in the folder of that URL."""
        bucket, _, folder = url.removeprefix("s3://").partition("/")
        listed = self.client.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/")
        return [entry["Key"].removeprefix(f"{folder}/") for entry in listed.get("Contents", ())]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_RANGE", ""))
        self.requests.append(request)
        if self.fails(request):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return []
        return self._moto(environ, start_response)
