"""dependency-injector without pydantic, and pydantic for who asks for it."""

import subprocess
import sys


def test_pydantic_is_not_imported_and_can_be_afterwards() -> None:
    """The SDKs of the providers are built on it."""
    code = """
import sys
from entrypoints.injection import providers

assert "pydantic" not in sys.modules
import pydantic

assert pydantic.TypeAdapter(int).validate_python("3") == 3
assert providers.Singleton(dict)() == {}
"""

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
