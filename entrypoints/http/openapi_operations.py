"""The pieces that the operations of the OpenAPI document are made of."""

from collections.abc import Mapping, Sequence

from domain.json_value import JSONObject, JSONValue


def operation(
    operation_id: str,
    summary: str,
    description: str,
    tag: str,
    ok: JSONObject,
    *,
    request_body: JSONObject | None = None,
    parameters: Sequence[JSONValue] = (),
    others: Mapping[str, JSONObject] | None = None,
    failure: str = "Problem",
    security: list[JSONValue] | None = None,
) -> dict[str, JSONValue]:
    """
    Args:
        ok: the answer with status 200.
        others: answers by other statuses, in place of `ok` where it is empty, else beside it.
        failure: the named response that all errors have.
        security: in place of what the whole document asks for.
    """
    described: dict[str, JSONValue] = {
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "parameters": [*parameters, {"$ref": "#/components/parameters/RequestID"}],
    }
    if security is not None:
        described["security"] = security
    if request_body is not None:
        described["requestBody"] = request_body
    described["responses"] = {
        **({"200": ok} if ok else {}),
        **(others or {}),
        "default": {"$ref": f"#/components/responses/{failure}"},
    }
    return described


def json_answer(
    description: str, schema: JSONObject, *, headers: Mapping[str, str] | None = None
) -> JSONObject:
    """An answer in JSON. `headers`: name to meaning."""
    answer: dict[str, JSONValue] = {"description": description}
    if headers:
        answer["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in headers.items()
        }
    answer["content"] = {"application/json": {"schema": schema}}
    return answer


def json_body(
    schema: JSONObject, examples: Mapping[str, tuple[str, JSONValue]], *, required: bool = True
) -> JSONObject:
    """A body in JSON. `examples`: name to what it shows and the body itself."""
    return {
        "required": required,
        "content": {
            "application/json": {
                "schema": schema,
                "examples": {
                    name: {"summary": summary, "value": value} for name, (summary, value) in examples.items()
                },
            }
        },
    }


def path_parameter(name: str, description: str, pattern: str, example: str) -> JSONObject:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "pattern": f"^(?:{pattern})$"},
        "example": example,
    }


def header_parameter(name: str, description: str) -> JSONObject:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
