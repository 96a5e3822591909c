"""`--var name=value` and `--var-file name=path`: the variables of a prompt."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import click

from domain.values import frozen

if TYPE_CHECKING:
    from domain.json_value import JSONValue
    from domain.prompt.source import Variable

_F = TypeVar("_F", bound=Callable[..., Any])
_TEXTS: Final = frozenset({"string", "enum"})
_EXAMPLES: Final = {
    "integer": "3",
    "number": "0.5",
    "boolean": "true",
    "list": '["a", "b"]',
    "object": '{"a": 1}',
}


def variable_options(command: _F) -> _F:
    """Adds `--var` and `--var-file`."""
    command = click.option(
        "--var-file",
        "variable_files",
        multiple=True,
        metavar="NAME=FILE",
        help="A variable whose value is the text of a file. Repeatable.",
    )(command)
    return click.option(
        "--var",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        help="A variable: text where the prompt declares a string or an enum, else JSON. Repeatable.",
    )(command)


def texts_from(variables: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """The values as written, by name.

    Raises:
        click.UsageError: not `name=value`, a name given twice, or a file that can't be read as text.
    """
    texts: dict[str, str] = {}
    for option, given in (
        *(("--var", each) for each in variables),
        *(("--var-file", each) for each in files),
    ):
        name, equals, value = given.partition("=")
        if not equals or not name.strip():
            what = "FILE" if option == "--var-file" else "VALUE"
            raise click.UsageError(f"{option} wants NAME={what}, such as {option} name=…")
        name = name.strip()
        if name in texts:
            raise click.UsageError(f"the variable `{name}` is given twice; keep one")
        text = value if option == "--var" else _read(Path(value), name)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise click.UsageError(f"the variable `{name}` is not UTF-8 text")
        texts[name] = text
    return texts


@frozen
class Typed:
    """Values as a prompt declares them."""

    values: "Mapping[str, JSONValue]"
    hints: Mapping[str, str]
    """What to say of those that had to be JSON and are not, or are doubtful JSON, by name. They are passed on as text, for the prompt
    to refuse them together with all else that is wrong."""
    prompt: str | None = None
    """Its name, where there is one."""

    @contextmanager
    def hinting(self) -> Iterator[None]:
        """Says in the command line's terms what the prompt refused as the wrong type."""
        from domain.errors import InvalidRequest

        try:
            yield
        except InvalidRequest as error:
            hints = {f"variables.{name}": hint for name, hint in self.hints.items()}
            if hints.keys().isdisjoint(fault.path for fault in error.faults):
                raise
            raise InvalidRequest.of(
                *(attrs.evolve(each, message=hints.get(each.path, each.message)) for each in error.faults)
            ) from error


def typed(texts: Mapping[str, str], declared: "Sequence[Variable]", *, prompt: str | None = None) -> Typed:
    """Each text as the type that is declared for it wants it; of one that is not declared, as it is."""
    from entrypoints.http.codec import Refused, read_value

    types = {variable.name: variable.type for variable in declared}
    values: dict[str, JSONValue] = dict(texts)
    hints: dict[str, str] = {}
    for name, text in texts.items():
        wanted = types.get(name, "string")
        if wanted in _TEXTS:
            continue
        try:
            values[name] = read_value(text)
        except Refused as refusal:
            hints[name] = str(refusal)
        except ValueError:
            example = f"--var {name}={_quoted(_EXAMPLES[wanted])}"
            article = "an" if wanted[0] in "aeiou" else "a"
            hints[name] = f"the prompt declares {article} {wanted}; write it as JSON: {example}"
    return Typed(values, hints, prompt)


def _read(path: Path, name: str) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise click.UsageError(f"{path} can't be read for `{name}`: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not UTF-8 text") from error


def _quoted(example: str) -> str:
    return f"'{example}'" if '"' in example else example
