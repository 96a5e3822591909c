"""What to say to the second of two who edited a prompt at the same time."""

import shlex

from domain.prompt.reference import PromptName
from domain.prompt.version import Prompt, PromptVersion
from domain.values import frozen


@frozen(kw_only=True)
class Overtaken:
    why: str
    then: tuple[str, ...]
    """Lines; the indented ones are commands."""


def overtaken(name: PromptName, base: PromptVersion | None, theirs: Prompt | None, *, path: str) -> Overtaken:
    """What to say to one whose text in the file `path` came too late.

    Args:
        base: the version that the text was made of; None where there was no prompt yet.
        theirs: the prompt as it is now; None where it was deleted.
    """
    command = f"  lor3 prompt edit {name} --from-file {shlex.quote(path)}"
    if theirs is None:
        return Overtaken(
            why=f"somebody else deleted `{name}` while you edited it",
            then=(f"your text is kept in {path}; to make the prompt again:", command),
        )
    command += f" --if-match {theirs.etag.strip(chr(34))}"
    if base is not None and base.number == theirs.latest:
        return Overtaken(
            why=f"somebody else changed `{name}` while you edited it, though not its text: a label, or where it is linked to",
            then=(f"your text is kept in {path}; to save it all the same:", command),
        )
    see = (
        f"  lor3 prompt diff {name} v{base.number} v{theirs.latest}"
        if base is not None
        else f"  lor3 prompt show {name}@latest"
    )
    return Overtaken(
        why=f"somebody else changed `{name}` while you edited it, so yours is not saved over theirs",
        then=(
            f"your text is kept in {path}; what they did:",
            see,
            "once you have put the two together in your file:",
            command,
        ),
    )
