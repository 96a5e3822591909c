"""How a prompt and its file stand to each other, for the commands that show or change one of the two."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from entrypoints.cli.output import printable, say

if TYPE_CHECKING:
    from application.use_cases.import_prompt_files import ImportReport
    from domain.prompt.version import Prompt

FileState: TypeAlias = Literal["same", "behind", "diverged", "broken", "gone"]
"""`behind`: the prompt has a newer version than the file holds. `diverged`: so has the file."""


def file_state(prompt: "Prompt", newest: str, report: "ImportReport | None") -> FileState | None:
    """None for a prompt without a file.

    Args:
        newest: the hash of the prompt's newest version.
        report: of the last import; None where there was none, and then nothing is known of the folder.
    """
    link, name = prompt.file, prompt.name
    if report is not None:
        if any(each.name == name for each in report.gone):
            return "gone"
        if any(each.name == name for each in report.diverged):
            return "diverged"
        if link is not None and any(each.name == name for each in report.broken):
            return "broken"
    if link is None:
        return None
    return "same" if link.hash == newest else "behind"


def source_text(prompt: "Prompt", state: FileState | None) -> str:
    """Where the prompt comes from: `database`, its file, or `tone.yaml (file behind)`."""
    if prompt.file is None:
        return "database" if state is None else f"database (file {state})"
    return prompt.file.path if state == "same" else f"{prompt.file.path} (file {state})"


def tell_behind(prompt: "Prompt", newest: str) -> None:
    """Says on stderr that the file lacks the newest version, and what writes it there."""
    if prompt.file is not None and prompt.file.hash != newest:
        say(
            f"{printable(prompt.file.path)} is behind v{prompt.latest} now; to write that into it:\n"
            f"  lor3 prompt sync {prompt.name}"
        )
