"""dependency-injector, kept from importing pydantic.

It looks for pydantic to read its old settings classes, which lor3 has none of; the SDKs of the providers bring
pydantic along, so it would be found. That costs every process 4 MB and 15 ms. Where pydantic is imported already,
or later, nothing changes: the stand-in is gone when this module is loaded.
"""

import sys
from types import ModuleType


class _NoPydantic(ModuleType):
    VERSION = "2"
    """All that dependency-injector asks: from version 2 on it leaves the rest alone."""


_stands_in = "pydantic" not in sys.modules
if _stands_in:
    sys.modules["pydantic"] = _NoPydantic("pydantic")
try:
    from dependency_injector import containers, providers
finally:
    if _stands_in:
        del sys.modules["pydantic"]

__all__ = ["containers", "providers"]
