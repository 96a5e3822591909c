"""The setting that names tenants."""

import pytest

from adapters.persistence import tenancy
from domain.ids import Tenant


@pytest.mark.parametrize(
    ("tenants", "expected"),
    [
        (["acme"], "acme"),
        (["globex", "acme", "acme"], "acme\x1fglobex"),
        (["*"], "*\x1f*"),
        ([""], "\x1f"),
        (["", "a"], "\x1fa"),
    ],
)
def test_tenants_are_told_apart(tenants: list[str], expected: str) -> None:
    """Each once and in order; a tenant called `*` is not all of them."""
    assert expected == tenancy.setting([Tenant(name) for name in tenants])


@pytest.mark.parametrize("tenants", [[], ["a\0"], ["a", "b\x1f"]])
def test_what_no_setting_can_say_is_refused(tenants: list[str]) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="tenant"):
        tenancy.setting([Tenant(name) for name in tenants])


def test_values_are_quoted() -> None:
    """Whatever `standard_conforming_strings` is."""
    assert r"SET LOCAL lor3.tenants = E'a''b\\c'" == tenancy.set_local("a'b\\c")
