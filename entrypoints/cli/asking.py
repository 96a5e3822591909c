"""Asking before something goes for good."""

import sys

import click


def check_can_ask(yes: bool) -> None:
    """
    Raises:
        click.UsageError: there is nobody to ask, and nobody said `--yes`.
    """
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is nobody to ask; add --yes")
