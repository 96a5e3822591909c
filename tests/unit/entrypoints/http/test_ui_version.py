"""Which version of the AI SDK a client says it is."""

import pytest
from aiohttp.test_utils import make_mocked_request

from entrypoints.http.checks import Faults
from entrypoints.http.ui_version import protocol_of


def found(query: str = "", **headers: str) -> tuple[str, list[str]]:
    faults: Faults = []
    request = make_mocked_request("POST", f"/ui/chat{query}", headers=headers)
    return protocol_of(request, faults), [each.path for each in faults]


@pytest.mark.parametrize(
    ("version", "protocol"),
    [
        ("5", "ai-sdk-5"),
        ("5.0.277", "ai-sdk-5"),
        ("6", "ai-sdk-6"),
        ("6.0.0-beta.3", "ai-sdk-6"),
        ("7", "ai-sdk-7"),
        ("7.0.69", "ai-sdk-6"),
        ("7.0.70", "ai-sdk-7"),
        ("7.0", "ai-sdk-6"),
        ("7.1.0", "ai-sdk-7"),
        ("8.2.0", "ai-sdk-7"),
    ],
)
def test_a_version_is_read_by_what_it_can(version: str, protocol: str) -> None:
    """The first ones of 7 read what 6 reads; newer ones are expected to read what 7 reads."""
    assert (protocol, []) == found(**{"x-lor3-ai-sdk": version})
    assert (protocol, []) == found(f"?version={version}")


def test_without_a_version_the_stream_is_for_all() -> None:
    """The SDK sends none by itself. The header goes before the query."""
    assert ("ai-sdk-5", []) == found()
    assert ("ai-sdk-6", []) == found("?version=7", **{"x-lor3-ai-sdk": "6"})


@pytest.mark.parametrize("version", ["", "4.3.1", "latest", "v7", "7.x"])
def test_what_is_no_version_is_named(version: str) -> None:
    """By where it was given."""
    assert ["x-lor3-ai-sdk"] == found(**{"x-lor3-ai-sdk": version})[1]
    assert ["version"] == found(f"?version={version}")[1]
    assert ["versoin"] == found("?versoin=7")[1]
