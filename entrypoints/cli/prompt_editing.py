"""A prompt in its author's editor, until it is saved or left; no text is ever lost."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import click

from application.use_cases.render_prompt import TryPromptCommand
from application.use_cases.version_prompt import VersionedPrompt, VersionPromptCommand
from domain.errors import InvalidRequest, LorError, NotFound, PreconditionFailed, UnreadableVersion
from domain.prompt.reference import LATEST, PromptName, PromptReference
from domain.prompt.source import PromptSource
from domain.prompt.version import PromptVersion
from domain.values import frozen
from entrypoints.cli.editor import Sheet, with_faults, without_faults
from entrypoints.cli.options import tenant_from
from entrypoints.cli.output import print_error, print_failure, say
from entrypoints.cli.prompt_overtaken import overtaken
from entrypoints.cli.prompt_store import on_lor3

if TYPE_CHECKING:
    from application.use_cases.read_prompts import PromptView
    from entrypoints.application import Application

_HELP: Final = """\
# %s
# Save and close to make a new version; close without a change to make none.
#
#   {{name}}                       a variable, declared under `variables` as `name: string`,
#                                  or `name: {type: integer, default: 5, description: What for}`;
#                                  string, integer, number, boolean, list, object, enum
#   {{#items}}…{{.}}…{{/items}}    for each, or where there is any
#   {{^items}}…{{/items}}          where there is none
#   {{> tone}}  {{> tone:v2}}      another prompt in this place, with values: {{> greet name="Ada"}}

"""
_SKELETON: Final = """\
description: What it is for.
template: |
  You are a helpful assistant. You are talking to {{name}}.
variables:
  name: string

# In place of `template`, the turns of a conversation:
# messages:
#   - role: system
#     content: You are a helpful assistant.
#   - role: user
#     content: Hello, my name is {{name}}.
"""


@frozen(kw_only=True)
class Save:
    """How what was edited is to be stored."""

    name: PromptName
    author: str | None
    message: str | None
    if_match: tuple[str, ...] | None = None
    if_none_match: bool = False
    base: PromptVersion | None = None
    """What the text was made of, where it is known."""


@attrs.define(kw_only=True)
class Editing:
    save: Save
    command: str
    """The editor's."""
    config_path: Path | None
    as_json: bool

    def run(self) -> VersionedPrompt | int:
        """What was saved, else the exit code: 0 where nothing was changed, 1 where it failed.

        Raises:
            LorError: nothing was edited yet.
            click.Abort: Ctrl-C; where the text is kept has been said.
        """
        base, text = on_lor3(self.config_path, self._open)
        if base is None:
            self.save = attrs.evolve(self.save, if_none_match=self.save.if_match is None)
        else:
            self.save = attrs.evolve(
                self.save, if_match=self.save.if_match or (base.prompt.etag,), base=base.version
            )
        sheet = Sheet.of(text, name=self.save.name)
        try:
            return self._edit(sheet, text)
        except click.ClickException as error:
            print_failure(error.format_message(), code="failed", as_json=self.as_json)
            self._keep(sheet, text)
            return 1
        except (click.Abort, KeyboardInterrupt):
            self._keep(sheet, text)
            raise

    def _edit(self, sheet: Sheet, text: str) -> VersionedPrompt | int:
        while True:
            left = sheet.edited(self.command)
            if without_faults(left) == text:
                return self._unsaved(sheet, "nothing was changed, so nothing is saved")
            if all(not line.strip() or line.lstrip().startswith("#") for line in left.splitlines()):
                return self._unsaved(sheet, "the text is empty, so nothing is saved")
            try:
                saved = self._store(left)
            except InvalidRequest as refusal:
                shown, error = self._with_faults(left, refusal)
                sheet.write(shown)
                self._print(error, sheet)
                if not self._again():
                    self._keep(sheet, text)
                    return 1
            except PreconditionFailed as failure:
                sheet.write(without_faults(left))
                self._overtaken(sheet, failure)
                return 1
            except LorError as failure:
                sheet.write(without_faults(left))
                self._print(failure, sheet)
                self._keep(sheet, text)
                return 1
            else:
                sheet.discard()
                if saved is None:
                    say("the text says what it said, so nothing is saved")
                return 0 if saved is None else saved

    def _store(self, text: str) -> VersionedPrompt | None:
        return on_lor3(
            self.config_path, lambda application: store(application, self.save, text, file=self._file)
        )

    def _with_faults(self, text: str, error: InvalidRequest) -> tuple[str, InvalidRequest]:
        """The text with its faults on top, and the error with the lines as they are in that text."""
        shown = with_faults(text, _sentences(error))
        try:
            on_lor3(self.config_path, lambda application: self._check(application, shown))
        except InvalidRequest as moved:
            again = with_faults(text, _sentences(moved))
            if again.count("\n") == shown.count("\n"):
                return again, moved
        return shown, error

    async def _check(self, application: "Application", text: str) -> None:
        source = read(application, text, self.save.base, file=self._file)
        await application.render_prompt.try_out(
            TryPromptCommand(tenant=tenant_from(), name=self.save.name, source=source)
        )

    @property
    def _file(self) -> str:
        """The file's name as faults show it."""
        return f"{self.save.name}.yaml"

    def _again(self) -> bool:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        return click.confirm("Open it again?", default=True, err=True)

    def _print(self, error: LorError, sheet: Sheet) -> None:
        if self.as_json:
            detail = f"{error.detail}; your text is kept in {sheet.path}"
            error = InvalidRequest(detail, error.faults) if isinstance(error, InvalidRequest) else error
            error.detail = detail
        print_error(error, as_json=self.as_json)

    def _unsaved(self, sheet: Sheet, why: str) -> int:
        sheet.discard()
        say(why)
        return 0

    def _keep(self, sheet: Sheet, text: str) -> None:
        """Says where the text is, unless it is still what it was."""
        if not sheet.is_changed_from(text):
            sheet.discard()
        elif not self.as_json:
            say(f"your text is kept in {sheet.path}; to save it:")
            say(
                f"  lor3 prompt edit {self.save.name} --from-file {shlex.quote(str(sheet.path))}{self._guard}"
            )

    @property
    def _guard(self) -> str:
        """What keeps a text that is saved later from undoing what others do meanwhile."""
        return f" --if-match {self.save.if_match[0].strip(chr(34))}" if self.save.if_match else ""

    def _overtaken(self, sheet: Sheet, failure: PreconditionFailed) -> None:
        """Somebody else was quicker: says what they did, and how to save the two put together, but not over theirs."""
        try:
            theirs = on_lor3(
                self.config_path, lambda application: _newest(application, self.save.name), import_files=False
            )
        except LorError as unreadable:
            self._print(unreadable, sheet)
            say(f"your text is kept in {sheet.path}")
            return
        told = overtaken(
            self.save.name, self.save.base, None if theirs is None else theirs.prompt, path=str(sheet.path)
        )
        failure.detail = (
            " ".join(line.strip() for line in (told.why, *told.then)) if self.as_json else told.why
        )
        print_error(failure, as_json=self.as_json)
        if not self.as_json:
            for line in told.then:
                say(line)

    async def _open(self, application: "Application") -> "tuple[PromptView | None, str]":
        """The newest version and its text; of a new prompt a skeleton."""
        name = self.save.name
        view = await _newest(application, name)
        if view is None:
            return None, _HELP % f"A new prompt, {name}." + _SKELETON
        document = application.prompt_texts.write(view.version.source)
        return view, _HELP % f"{view.version.ref}, the newest version." + document


def read(application: "Application", text: str, base: PromptVersion | None, *, file: str) -> PromptSource:
    """
    Raises:
        InvalidRequest: naming every fault of the text.
    """
    source = application.prompt_texts.read(text, file=file)
    if base is not None and not base.source.declares and not source.variables:
        # A plain text declares nothing, those that include it do; and its document does not say that it is one.
        return attrs.evolve(source, declares=source.is_chat)
    return source


async def store(application: "Application", save: Save, text: str, *, file: str) -> VersionedPrompt | None:
    """Makes the version; None where the text says what `save.base` says. Raises as `VersionPrompt.execute` does."""
    base = save.base
    if base is None and not save.if_none_match:
        try:
            view = await _newest(application, save.name)
        except UnreadableVersion:
            view = None  # what is saved now takes its place
        base = view.version if view is not None else None
    source = read(application, text, base, file=file)
    if save.base is not None and source == save.base.source:
        return None
    return await _version(application, save, source)


async def _newest(application: "Application", name: PromptName) -> "PromptView | None":
    reference = PromptReference(name=name, label=LATEST)
    try:
        return await application.read_prompts.one(tenant_from(), reference)
    except NotFound:
        return None


async def refreshed(application: "Application", save: Save) -> VersionedPrompt:
    """A version of the newest text with its fragments as they are now.

    Raises:
        NotFound: there is no such prompt.
        InvalidRequest: the fragments do not fit any more.
        PreconditionFailed: somebody else changed the prompt meanwhile.
    """
    view = await application.read_prompts.one(tenant_from(), PromptReference(name=save.name, label=LATEST))
    save = attrs.evolve(save, if_match=save.if_match or (view.prompt.etag,))
    return await _version(application, save, view.version.source)


async def _version(application: "Application", save: Save, source: PromptSource) -> VersionedPrompt:
    return await application.version_prompt.execute(
        VersionPromptCommand(
            tenant=tenant_from(),
            name=save.name,
            source=source,
            made_by="cli",
            author=save.author,
            message=save.message,
            if_match=save.if_match,
            if_none_match=save.if_none_match,
        )
    )


def _sentences(error: InvalidRequest) -> list[str]:
    return [f"{each.path}: {each.message}" if each.path else each.message for each in error.faults]
