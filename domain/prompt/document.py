"""A prompt's source as JSON: what files, the API and the database hold."""

from domain.json_value import JSONObject, JSONValue
from domain.prompt.source import PromptSource


def read_source(value: JSONValue, *, path: str = "") -> PromptSource:
    """The source in a document: `{"template": "…" or "messages": [{"role", "content"}], "variables": {"name":
    {"type", "default", "description", "values"}}, "description": "…"}`.

    A variable may be written as its type alone (`name: string`). Unknown keys are faults.

    Args:
        path: put in front of the paths of faults.

    Raises:
        InvalidRequest: naming every fault of the document; templates are not looked into.
    """
    raise NotImplementedError


def write_source(source: PromptSource) -> JSONObject:
    """The document that `read_source` reads as `source`; nothing that is a default is written."""
    raise NotImplementedError
