"""Against a real S3 server, which the tests start."""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from PIL import Image
from processes import JUDGE, Command, digests, wait_for
from stand_ins import CALLS, RAISE, SLEEP

from editbench import remote
from editbench.edits import Edits
from editbench.errors import UserError
from editbench.paths import EditPaths, ReportPaths
from editbench.remote import mirror

pytest.importorskip("moto")
pytest.importorskip("s3fs")
if TYPE_CHECKING:
    from .object_store import ObjectStore, Request

MANIFEST = EditPaths(Path()).manifest.name
EDIT = ("--model", "stand_ins:Painter", "--shard-size", "1", "--nproc", "1")
SCORE = ("--model", JUDGE, "--batch-size", "1", "--nproc", "1")
Go = Callable[[str], None]


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    from .object_store import ObjectStore

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ObjectStore()
    yield server
    server.stop()


@pytest.fixture
def url(server: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Go) -> str:
    """Of a folder in a bucket that is empty."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.fails = lambda _: False
    bucket = tmp_path.name.replace("_", "-").lower()
    server.client.create_bucket(Bucket=bucket)
    server.requests.clear()
    return f"s3://{bucket}/run"


def run(*arguments: str, status: int = 0, **environment: str) -> str:
    returned, said = Command([*arguments], environment).run()
    assert returned == status, said
    return said


def upload(folder: Path, url: str) -> None:
    root = remote.folder(url)
    with remote.pushing(root):
        shutil.copytree(folder, root, dirs_exist_ok=True)


def on(method: str, name: str) -> Callable[[Request], bool]:
    return lambda request: request.method == method and request.path.endswith(name)


def test_the_whole_chain_goes_from_url_to_url(url: str, tmp_path: Path, machine: Go) -> None:
    Image.new("RGB", (48, 32), "teal").save(tmp_path / "a.png")
    table = tmp_path / "table.jsonl"
    table.write_text('{"id": "一", "image": "a.png", "instruction": "make it red", "category": "physical"}\n', "utf-8")
    run("import", str(table), "--out", f"{url}/bench")
    run("edit", f"{url}/bench", "--model", "copy", "--out", f"{url}/edits")
    machine("bert")
    run("score", f"{url}/edits", "--model", JUDGE, "--out", f"{url}/scores")
    machine("carl")
    said = run("report", f"{url}/scores", "--edits", f"{url}/edits", "--out", str(tmp_path / "report"))
    assert "pictures of" not in said
    assert orjson.loads(ReportPaths(tmp_path / "report").json.read_bytes())["runs"][0]["overall"]["micro"]["mean"] is not None
    run("export", f"{url}/edits", "--layout", "files", "--out", str(tmp_path / "pictures"))
    there = ("--layout", "files", "--name", "others", "--out", f"{url}/others")
    run("import-edits", f"{url}/bench", str(tmp_path / "pictures"), *there)
    machine("dora")
    assert "whole" in run("verify", f"{url}/others")
    assert run("verify", f"{url}/bench", f"{url}/edits", f"{url}/scores").count(", whole") == 3


def test_an_upload_that_breaks_off_leaves_no_manifest_and_goes_on(
    server: ObjectStore, url: str, benchmark: Path, tmp_path: Path
) -> None:
    command = ("edit", str(benchmark), *EDIT, "--out", url)
    server.fails = on("PUT", "edits-00003.tar")
    said = run(*command, status=2)
    assert f"can't write {url}/edits-00003.tar" in said
    assert "hush-hush" not in said
    there = server.names(url)
    assert MANIFEST not in there
    assert "edits-00000.tar" in there
    server.fails, server.requests[:] = (lambda _: False), []
    assert "complete; nothing to do" in run(*command)
    sent = [Path(request.path).name for request in server.requests if request.method == "PUT"]
    assert not set(sent) & {name for name in there if name.endswith(".tar")}
    assert sent[-1] == MANIFEST
    run("edit", str(benchmark), *EDIT, "--out", str(tmp_path / "here"))
    assert digests(Edits.open(remote.folder(url)).root) == digests(tmp_path / "here")


def test_a_shard_that_lacks_an_edit_is_not_there_without_the_failure(
    server: ObjectStore, url: str, benchmark: Path, machine: Go
) -> None:
    command = ("edit", str(benchmark), "--model", "stand_ins:Painter", "--shard-size", "2", "--out", url)
    server.fails = on("PUT", EditPaths(Path()).failures.name)
    run(*command, status=2, **{RAISE: "social"})
    assert "edits-00001.tar" not in server.names(url)
    server.fails = lambda _: False
    machine("bert")
    run(*command)
    assert len([entry for entry in Edits.open(remote.folder(url)).entries if entry.stored]) == 5


def test_an_upload_that_is_interrupted_ends_at_once_and_goes_on(
    server: ObjectStore, url: str, benchmark: Path, tmp_path: Path
) -> None:
    asked, stuck = threading.Event(), on("PUT", "edits-00003.tar")

    def hangs(request: Request) -> bool:
        if stuck(request) and not asked.is_set():
            asked.set()
            time.sleep(60)
        return False

    server.fails, command = hangs, ("edit", str(benchmark), *EDIT, "--out", url)
    process = Command([*command]).start()
    assert asked.wait(60)
    wait_for(lambda: (remote.folder(url) / MANIFEST).exists())
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate()
    assert (process.returncode, "Traceback" in errors) == (130, False), said + errors
    assert MANIFEST not in server.names(url)
    run(*command)
    assert MANIFEST in server.names(url)


@pytest.mark.parametrize("stage", ["edit", "score"])
def test_a_run_that_is_killed_goes_on_on_another_machine(
    stage: str, server: ObjectStore, url: str, benchmark: Path, make_edits: Callable[[], Path], tmp_path: Path, machine: Go
) -> None:
    of_stage = {"edit": (str(benchmark), *EDIT), "score": (str(make_edits()), *SCORE)}
    command, calls = (stage, *of_stage[stage], "--out"), tmp_path / "calls"

    def finished() -> set[str]:
        return {name for name in server.names(url) if name.endswith(".tar") or name.startswith("chunks/")}

    process = Command([*command, url], {CALLS: str(calls), SLEEP: "1.5"}).start()
    wait_for(lambda: len(finished()) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = finished()
    assert MANIFEST not in server.names(url)
    machine("bert")
    calls.unlink()
    run(*command, url, **{CALLS: str(calls)})
    assert len(calls.read_text().splitlines()) == 5 - len(kept)
    run(*command, str(tmp_path / "here"))
    there = remote.folder(url)
    remote.pull(there)
    assert digests(there) == digests(tmp_path / "here")
    assert not [name for name in server.names(url) if name.startswith("chunks/")]


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    server: ObjectStore, url: str, folders: Path, machine: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BLOCK", 1000)
    upload(folders / "bench", url)
    machine("bert")
    server.fails = lambda request: request.range == "bytes=3000-3999"
    with pytest.raises(UserError, match="can't read s3://"):
        remote.pull(remote.folder(url))
    assert not list(remote.folder(url).glob("*.tar"))
    server.fails, server.requests[:] = (lambda _: False), []
    remote.pull(remote.folder(url))
    ranges = [request.range for request in server.requests if request.path.endswith(".tar")]
    assert ranges[0] == "bytes=3000-3999"
    assert {path.name: path.read_bytes() for path in remote.folder(url).iterdir()} == {
        path.name: path.read_bytes() for path in (folders / "bench").iterdir()
    }


def test_a_changed_shard_is_refused_by_its_digest(server: ObjectStore, url: str, folders: Path, machine: Go) -> None:
    upload(folders / "edits", url)
    bucket, key = url.removeprefix("s3://").split("/")
    shard = f"{key}/{EditPaths(Path()).shard(0).name}"
    data = bytearray(server.client.get_object(Bucket=bucket, Key=shard)["Body"].read())
    data[700] ^= 1
    server.client.put_object(Bucket=bucket, Key=shard, Body=bytes(data))
    machine("bert")
    said = run("score", url, "--model", JUDGE, "--out", f"{url}-scores", status=2)
    assert "edits-00000.tar is not what manifest.json says (sha256 differs)" in said
    assert not EditPaths(remote.folder(url)).shard(0).exists()
    assert not EditPaths(remote.folder(url)).manifest.exists()


def test_a_server_that_does_not_answer_is_one_message(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        said = run("verify", url, status=2)
    assert f"error: can't list {url}: " in said
    assert "Traceback" not in said
