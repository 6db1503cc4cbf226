from __future__ import annotations

import pytest

from editbench.errors import UserError
from editbench.urls import Url, is_url, redacted


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("s3://bucket/run/edits/", "s3://bucket/run/edits"),
        ("s3://bucket//run", "s3://bucket/run"),
        ("gs://bucket", "gs://bucket"),
        ("hf://datasets/anna/edits@main/run", "hf://datasets/anna/edits@main/run"),
        ("file:///data/edits", "file:///data/edits"),
        ("sftp://anna:hush@host:22/edits", "sftp://host:22/edits"),
        ("s3://bucket/编辑", "s3://bucket/编辑"),
    ],
)
def test_a_folder_has_one_url(given: str, kept: str) -> None:
    assert Url.parse(given).text == kept


@pytest.mark.parametrize(
    "given",
    [
        "s3://",
        "s3://bucket/../other",
        "s3://../bucket",
        "s3://bucket/a\nb",
        "https://host/run?signature=hush",
        "s3://bucket/run#hush",
        "simplecache::s3://bucket/run",
        "s3://key:hu/sh@bucket/run",
        "file://data/edits",
    ],
)
def test_what_names_no_folder_is_refused_and_no_secret_repeated(given: str) -> None:
    assert is_url(given)
    with pytest.raises(UserError) as error:
        Url.parse(given)
    assert "hu" not in str(error.value) + error.value.remedy


@pytest.mark.parametrize("path", ["shards/sample", "/data/a:b", "./s3/bucket", "C:/edits", "a::b"])
def test_a_path_is_no_url(path: str) -> None:
    assert not is_url(path)


def test_credentials_are_in_nothing_that_is_shown() -> None:
    url = Url.parse("sftp://anna:hu%2Fsh@host/edits")
    assert url.full == "sftp://anna:hu%2Fsh@host/edits"
    assert "hu" not in repr(url) + url.text
    said = "no login for anna with hu/sh (hu%2Fsh) at sftp://anna:hu%2Fsh@host/edits"
    assert url.hide(said) == "no login for anna with *** (***) at sftp://host/edits"


def test_a_command_line_is_kept_without_secrets() -> None:
    words = ["--out=sftp://anna:hush@host/edits", "http://host/v1?key=hush", "instruction=en", "a@b"]
    assert [redacted(word) for word in words] == ["--out=sftp://host/edits", "http://host/v1", "instruction=en", "a@b"]
