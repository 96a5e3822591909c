"""Prompts as texts, by the readers and the writer of files."""

from pathlib import PurePath

from adapters.prompts.prompt_file import JSON_SUFFIX, SUFFIXES, YAML_SUFFIXES, Broken, parse_prompt
from adapters.prompts.yaml_writer import write_yaml
from domain.errors import InvalidRequest
from domain.prompt.document import write_source
from domain.prompt.source import PromptSource
from domain.values import frozen


@frozen
class DocumentTexts:
    def read(self, text: str, *, file: str) -> PromptSource:
        """As the port says."""
        suffix = PurePath(file).suffix.lower()
        if suffix not in SUFFIXES:
            start = text.lstrip("\ufeff \t\r\n")
            # `{{name}} …` is a template that forgot its key, and YAML's reader says so.
            is_json = start.startswith("{") and not start.startswith("{{")
            suffix = JSON_SUFFIX if is_json else YAML_SUFFIXES[0]
        try:
            return parse_prompt(text.encode("utf-8", "surrogatepass"), suffix=suffix, shown=file)
        except Broken as error:
            raise InvalidRequest.of(*error.faults) from error

    def write(self, source: PromptSource) -> str:
        return write_yaml(write_source(source))
