"""`lor3`: the command line. Each command is imported when it is called, so that `--help` is quick."""

import os
import sys
from importlib import import_module
from typing import Final, NoReturn

import click

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it or to show its help."""

    def __init__(
        self, *args: object, lazy: dict[str, tuple[str, str]] | None = None, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # passed through to click as given
        self._lazy = lazy or {}
        """Name → (`module:attribute`, the line that help shows)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """
        Raises:
            click.UsageError: there is no such command; names the one that is written most like it.
        """
        wrong = args[0]
        if wrong not in self._lazy and not wrong.startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(wrong, self._lazy, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            ctx.fail(f"No such command '{wrong}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._lazy.items()])


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"lor3 {version('lor3')}")
        ctx.exit()


_EXAMPLES = """\b
Examples:
  lor3 serve
  lor3 run --prompt "Why is the sky blue?"
  lor3 config check
"""

_HELP = f"""LLM Orchestrator 3000: one answer from many providers.

With no configuration at all, lor3 stores to a SQLite file here and the `demo` provider answers.
Set OPENAI_API_KEY or ANTHROPIC_API_KEY for real answers.

{_EXAMPLES}"""


@click.group(
    cls=LazyGroup,
    name="lor3",
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    lazy={
        "serve": ("entrypoints.cli.serve:serve", "Serve the HTTP API."),
        "run": ("entrypoints.cli.run:run", "Answer one prompt."),
        "prompt": ("entrypoints.cli.prompt:prompt", "Keep, compile and label prompts."),
        "thread": ("entrypoints.cli.thread:thread", "Look at conversations, and keep them in order."),
        "feedback": ("entrypoints.cli.feedback:feedback", "Rate answers, and take the ratings out."),
        "key": ("entrypoints.cli.key:key", "Make, list, rotate and revoke API keys."),
        "observe": ("entrypoints.cli.observe:observe", "See what was used, and how well it did."),
        "config": ("entrypoints.cli.config:config", "Check and show the configuration."),
        "db": ("entrypoints.cli.db:db", "Migrate and check the database."),
    },
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Replaced by `help` above."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs a command and exits: 0 ok, 1 failed, 2 misused, 130 interrupted."""
    from entrypoints.cli.streams import has_stderr_failed, watch_streams

    watch_streams()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = run_command(given)
    except OSError:
        if not has_stderr_failed():
            raise
        code = FAILED
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """The exit code of one command; everything that was to be printed is printed."""
    as_json = "--json" in arguments
    try:
        result = cli.main(arguments, prog_name="lor3", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        return _misused(error, as_json=as_json)
    except click.ClickException as error:
        _failure(error.format_message(), code="failed", as_json=as_json)
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nstopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`lor3 … | head`). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError:
        from entrypoints.cli.streams import stdout_failure

        lost = stdout_failure()
        if lost is None:
            raise
        _failure(lost, code="failed", as_json=as_json)
        return FAILED
    except Exception as error:
        from domain.errors import LorError
        from entrypoints.cli.misuse import Misused
        from entrypoints.cli.output import print_error

        if not isinstance(error, LorError):
            raise
        print_error(error, as_json=as_json)
        return MISUSED if isinstance(error, Misused) else FAILED
    return result if isinstance(result, int) else 0


def _misused(error: click.UsageError, *, as_json: bool) -> int:
    if as_json:
        _failure(error.format_message(), code="misused", as_json=True)
    else:
        from io import StringIO

        from entrypoints.cli.wrapping import fitted, stderr_columns

        told = StringIO()
        error.show(told)
        click.echo(fitted(told.getvalue(), stderr_columns()), err=True, nl=False)
    return MISUSED


def _failure(message: str, *, code: str, as_json: bool) -> None:
    from entrypoints.cli.output import print_failure

    print_failure(message, code=code, as_json=as_json)
