"""`docs/http.md`: its examples run."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any, cast

from entrypoints.http.openapi_events import EVENT_SCHEMAS, EVENTS
from tests.support.http import serving

PAGE = Path(__file__).parents[3] / "docs" / "http.md"
ADDRESS = "http://127.0.0.1:3000"
"""Where `lor3 serve` listens, and so what the page says; the test's server has a free port."""
EXPECTED = [
    r'"model":"demo:demo"',
    r'"injected":2',
    r"event: start\n(.|\n)*event: done\n",
    r"(?i)idempotency-replayed: true",
    r'"candidates":\[',
    r'"title":"Plans for March"(.|\n)*"position":1(.|\n)*"title":"Another way".*"messages":2',
    r'"rating":"thumbs_up"(.|\n)*"group":null(.|\n)*"count":1,"mean":1\.0(.|\n)*"score":1\.0',
    r'"prompt_version":"tone:v1"(.|\n)*"prompt_version":"helper:v1"',
    r'"text":"Be kind and brief\. You help Ada\."',
    r'"label":"production","version":"v1"(.|\n)*"compiled":"Be kind and brief\.',
    r'"prompt_version":"helper:v1"',
    r'"code":"precondition_failed"',
    r'"code":"invalid_request".*did you mean `prompt`.*"path":"temperature"',
]
"""What each example prints, in order."""


async def test_every_example_does_what_the_page_says(tmp_path: Path) -> None:
    """Run by sh against a server with no configuration."""
    examples = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert all(ADDRESS in example and "$LOR3" not in example for example in examples)
    async with serving(tmp_path) as server:
        outputs = []
        for example in examples:
            process = await asyncio.create_subprocess_shell(
                example.replace(ADDRESS, f"http://127.0.0.1:{server.port}"),
                stdout=asyncio.subprocess.PIPE,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            )
            output, _ = await process.communicate()
            outputs.append(output.decode())

    assert len(outputs) == len(EXPECTED)
    for pattern, printed in zip(EXPECTED, outputs, strict=True):
        assert re.search(pattern, printed), printed


def test_every_event_of_a_stream_is_on_the_page() -> None:
    """With the fields of its data."""
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| `(.*)` \|$", PAGE.read_text(), re.MULTILINE))

    assert list(rows) == [kind.name for kind in EVENTS]
    for name, schema in (("start", "StartEvent"), ("delta", "DeltaEvent"), ("reset", "ResetEvent")):
        assert list(json.loads(rows[name])) == list(cast("Any", EVENT_SCHEMAS[schema]["properties"]))
