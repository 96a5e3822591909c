"""`${NAME}` in a file's strings, and the rule that no secret stands in a file."""

import re
from collections.abc import Mapping
from typing import Final

from entrypoints.configuration.findings import Findings, Path
from entrypoints.configuration.raw import Raw, Tree

_REFERENCE: Final = re.compile(r"\$(?P<escaped>\$)?\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SECRET_KEY: Final = re.compile(
    r"(?i)(^|[_-])(api[_-]?key|key|secret|token|password|passwd|authorization|credentials?)\Z"
)
_URL_PASSWORD: Final = re.compile(r"://[^:/@\s]*:(?P<password>[^@\s]*)@")
_QUERY_PASSWORD: Final = re.compile(
    r"://\S*[?&](?:password|passwd|sslpassword|api_key|key|token)=(?P<password>[^&\s]*)"
)
_LOOKS_LIKE_KEY: Final = re.compile(r"\bsk-[A-Za-z0-9_-]{16,}")
_FROM_ENVIRONMENT: Final = "\0"


def is_secret_key(name: str) -> bool:
    """Whether a setting of this name holds a secret: `api_key`, `client_secret`, `Authorization`, …"""
    return _SECRET_KEY.search(name) is not None


def interpolate(tree: Tree, environ: Mapping[str, str], findings: Findings, path: Path = ()) -> Tree:
    """`tree` with every reference replaced; `$${NAME}` stands for a literal `${NAME}`.

    A string that held a reference becomes `Raw`, so that `port: ${PORT}` is a number. Faults: a variable
    that is not set and has no default, a malformed reference, a secret in clear text.
    """
    if isinstance(tree, dict):
        return {key: interpolate(value, environ, findings, (*path, key)) for key, value in tree.items()}
    if isinstance(tree, list):
        return [interpolate(value, environ, findings, (*path, i)) for i, value in enumerate(tree)]
    if not isinstance(tree, str):
        return tree
    clear = _clear_text_secret(tree, path)
    if clear is not None:
        findings.add(path, clear)
        return tree
    if "${" not in tree:
        return tree

    def value_of(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match["escaped"]:
            return match[0][1:]
        if not _NAME.match(name):
            findings.add(path, "`${…}` must hold a variable's name, as in `${NAME}` or `${NAME:-default}`")
            return ""
        found = environ.get(name)
        if default is not None:
            return found or default
        if found is None:
            with_default = f"${{{name}:-default}}"
            remedy = f"set it or write `{with_default}`"
            if _clear_text_secret(tree.replace(match[0], with_default), path) is not None:
                remedy = "set it"  # a default would be a secret in clear text
            findings.add(path, f"the environment variable {name} is not set; {remedy}")
            return ""
        return found

    if "${" in _REFERENCE.sub("", tree):
        findings.add(path, "`${` is not closed; write `${NAME}`, or `$${` for the characters themselves")
        return tree
    replaced = _REFERENCE.sub(value_of, tree)
    return None if replaced == "" else Raw(replaced)


def _clear_text_secret(text: str, path: Path) -> str | None:
    """What is wrong where `text`, as written in a file, holds a secret; never quotes it."""
    written = _REFERENCE.sub(lambda match: match["default"] or _FROM_ENVIRONMENT, text)
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    if (
        path
        and path[0] in ("providers", "telemetry")
        and is_secret_key(name)
        and written.strip(_FROM_ENVIRONMENT)
    ):
        # `Authorization: Bearer ${TOKEN}` is a scheme and a reference, which is fine.
        if not (
            _FROM_ENVIRONMENT in written
            and written.replace(_FROM_ENVIRONMENT, "").strip() in {"Bearer", "Basic"}
        ):
            return (
                f"a key in clear text is refused; write `{name}: ${{NAME}}` and set NAME in the environment"
            )
        return None
    for pattern in (_URL_PASSWORD, _QUERY_PASSWORD):
        match = pattern.search(written)
        if match and match["password"].replace(_FROM_ENVIRONMENT, ""):
            return "a password in clear text is refused; write `${NAME}` in its place and set NAME in the environment"
    if _LOOKS_LIKE_KEY.search(written):
        return "this looks like an API key in clear text; write `${NAME}` and set NAME in the environment"
    return None
