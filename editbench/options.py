"""Options that several commands take, and what they stand for. Imports nothing heavy."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import typer

from editbench.errors import UserError
from editbench.urls import is_url


def path(text: str) -> Path:
    """A path of the command line. Raises typer.BadParameter for an empty one, which Path takes for the current folder, and for
    a URL."""
    if not text:
        raise typer.BadParameter("it is empty; for the current folder give .")
    if is_url(text):
        raise typer.BadParameter("it is a URL, and has to be a path")
    return Path(text)


def folder(text: str) -> Path:
    """The folder of a benchmark, edits or scores on the command line: a path, or the URL of one in a store, for which its local
    copy stands (see `editbench.remote`). Raises typer.BadParameter as `path` does, and UserError for a URL that can't be."""
    if not is_url(text):
        return path(text)
    from editbench import remote

    return remote.folder(text)


PathArgument, PathOption = partial(typer.Argument, parser=path), partial(typer.Option, parser=path)
FolderArgument, FolderOption = partial(typer.Argument, parser=folder), partial(typer.Option, parser=folder)
"""What every path of a command is declared with; the second two where a benchmark, edits or scores may be in a store."""


def read_config(context: typer.Context, file: Path | None) -> Path | None:
    """Make the file's values the defaults of this command's options; the command line wins."""
    if file is None:
        return None
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--config {file}: {error}", "Give a TOML file with options as names, such as steps = 40.") from None
    options = {
        option.lstrip("-").replace("-", "_"): parameter for parameter in context.command.params for option in parameter.opts
    }
    given = {name.replace("-", "_"): value for name, value in values.items()}
    if unknown := sorted(given.keys() - options.keys()):
        raise UserError(f"--config {file}: no option {', '.join(unknown)}", f"Options: {', '.join(sorted(options))}.")
    context.default_map = {options[name].name: _as_text(value, options[name]) for name, value in given.items()}
    return file


def _as_text(value: Any, parameter: Any) -> Any:
    """Options are parsed from text; lists stay lists of it, and one value of a repeatable option is a list of one."""
    if isinstance(value, list):
        return [str(entry) for entry in value]
    text = value if isinstance(value, bool) else str(value)
    return [text] if getattr(parameter, "multiple", False) else text


Config = Annotated[
    Path | None,
    PathOption("--config", callback=read_config, is_eager=True, metavar="FILE.toml", help="Options from a file."),
]


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """For Typer: the fields of each dataclass among the command's parameters become parameters in its place.

    A field is declared as `Annotated[type, typer.Option(...)]`, with its default; the command is called with the dataclasses.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    kinds: dict[str, Any] = {name: each.annotation for name, each in parameters.items() if is_dataclass(each.annotation)}
    expansions = {name: [*_options_of(kind)] for name, kind in kinds.items()}
    flat = [inner for name, outer in parameters.items() for inner in expansions.get(name, [outer])]

    def flattened(**values: Any) -> None:
        for name, kind in kinds.items():
            settings = {option.name: values.pop(option.name) for option in expansions[name]}
            values[name] = kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()})
        command(**values)

    flat = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in flat]
    annotations = {each.name: each.annotation for each in flat}
    vars(flattened).update(__signature__=inspect.Signature(flat), __wrapped__=command)
    flattened.__name__, flattened.__doc__, flattened.__annotations__ = command.__name__, command.__doc__, annotations
    return flattened


def _options_of(kind: type) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint, default = hints[field.name], cast(Any, field.default)
        if get_origin(get_args(hint)[0]) is tuple:  # Typer knows repeatable options as lists
            hint, default = Annotated[list[get_args(get_args(hint)[0])[0]], hint.__metadata__[0]], [*default]  # type: ignore[misc]
        yield inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def pairs(option: str, texts: list[str] | None, form: str = "NAME=COLUMN", example: str = "instruction=en") -> dict[str, str]:
    """What `--map NAME=COLUMN` and the like say. Raises UserError for what is no pair."""
    split = [text.partition("=") for text in texts or []]
    if wrong := [left for left, equals, right in split if not (left and equals and right)]:
        raise UserError(f"{option} {wrong[0]} is not {form}", f"Write for example {option} {example}")
    return {left: right for left, _, right in split}
