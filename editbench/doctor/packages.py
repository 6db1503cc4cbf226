"""Which packages the stages ask for, which are installed, and which versions the tests pass with."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata, resources

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from editbench import __version__
from editbench.doctor.check import FAULT, NOTE, OK, STAGES, Check
from editbench.paths import TESTED_VERSIONS

PROJECT = "editbench"
OLDEST_PYTHON = (3, 11)
BUNDLES = ("all", "dev")
"""Extras that stand for others, or are for those who work on it."""
OPTIONAL = {"flash-attn": ("score",)}
"""What no stage asks for, and is used where it is there: attention over all pictures of a batch at once."""


def checks() -> Iterator[Check]:
    yield _python()
    try:
        needed = _needed()
    except metadata.PackageNotFoundError:
        here, remedy = "not installed as a package", "What it needs can't be told: pip install -c constraints.txt -e '.[all]'"
        yield Check(what=PROJECT, here=here, state=NOTE, stages=STAGES, remedy=remedy)
        return
    versions = tested()
    for name, (requirement, stages) in needed.items():
        yield _package(requirement, stages, versions.get(name, ""))
    for requirement, extra in _optional():
        yield _addition(requirement, extra, versions.get(canonicalize_name(requirement.name), ""))
    for name, stages in OPTIONAL.items():
        if (version := _version(name)) is not None:
            yield Check(what=name, here=version, stages=stages)


def tested() -> dict[str, str]:
    """Versions by canonical name, of constraints.txt, which the package carries along."""
    text = (resources.files(PROJECT) / TESTED_VERSIONS).read_text("utf-8")
    pairs = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pairs}


def _python() -> Check:
    here = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    check = Check(what=f"{PROJECT} {__version__}", here=here, stages=STAGES)
    check = check.but_if(sys.platform != "linux", "Linux is what it is tested on.", NOTE)
    return check.but_if(sys.version_info[:2] < OLDEST_PYTHON, f"Use Python {'.'.join(map(str, OLDEST_PYTHON))} or newer.")


def _needed() -> dict[str, tuple[Requirement, tuple[str, ...]]]:
    """By canonical name, what this package's metadata asks for, and the stages that need it: without an extra all do.

    Raises PackageNotFoundError.
    """
    needed: dict[str, tuple[Requirement, tuple[str, ...]]] = {}
    for text in metadata.requires(PROJECT) or ():
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name == PROJECT:  # an extra that stands for others
            continue
        stages = tuple(stage for stage in STAGES if not requirement.marker or requirement.marker.evaluate({"extra": stage}))
        if stages:
            before = needed[name][1] if name in needed else ()
            needed[name] = (requirement, tuple(stage for stage in STAGES if stage in (*before, *stages)))
    return needed


def _optional() -> Iterator[tuple[Requirement, str]]:
    """What the other extras ask for, with the extra: no stage stops without it."""
    for text in metadata.requires(PROJECT) or ():
        requirement = Requirement(text)
        match = re.search(r"extra == ['\"]([\w-]+)", str(requirement.marker))
        if match and match[1] not in (*STAGES, *BUNDLES) and canonicalize_name(requirement.name) != PROJECT:
            yield requirement, match[1]


def _addition(requirement: Requirement, extra: str, tested: str) -> Check:
    check = _package(requirement, (f"extra {extra}",), tested)
    if check.state == OK:
        return check
    return replace(check, state=NOTE, remedy=f"For {extra} alone, {requirement.name}: {_install(extra)}")


def _install(extras: str) -> str:
    return f"pip install -c constraints.txt -e '.{f'[{extras}]' if extras else ''}'"


def _package(requirement: Requirement, stages: tuple[str, ...], tested: str) -> Check:
    name, version = requirement.name, _version(requirement.name)
    install = _install("" if stages == STAGES else ",".join(stages))
    if version is None or not requirement.specifier.contains(version, prereleases=True):
        here = "missing" if version is None else f"{version}, and {requirement.specifier} is needed"
        return Check(what=name, here=here, tested=tested, state=FAULT, stages=stages, remedy=f"{name}: {install}")
    untested = f"{name} {version} is not the version of the tests. If something goes wrong: {install}"
    check = Check(what=name, here=version, tested=tested, stages=stages)
    return check.but_if(bool(tested) and _public(version) != _public(tested), untested, NOTE)


def _public(version: str) -> str:
    """Without the build: torch 2.13.0+cu130 is 2.13.0."""
    try:
        return Version(version).public
    except InvalidVersion:
        return version


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
