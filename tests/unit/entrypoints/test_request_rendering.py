"""The intermediate representation, as explain shows it."""

import attrs
import jsonschema

from domain.chat import ChatRequest
from entrypoints.http.openapi import document
from entrypoints.rendering import request_json
from tests.support.compiling import request


def test_every_field_of_a_request_is_shown() -> None:
    """Further parameters too; what is documented is what is shown."""
    shown = request_json(attrs.evolve(request(), parameters={"top_k": 4}))

    assert shown["parameters"] == {"top_k": 4}
    assert {each.name for each in attrs.fields(ChatRequest)} == set(shown)
    jsonschema.validate(
        shown, {"$ref": "#/components/schemas/Request", "components": document()["components"]}
    )
