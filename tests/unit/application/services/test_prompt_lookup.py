"""What is said of a reference that means no version."""

import pytest

from adapters.testing.prompts_to_store import new_head
from application.services.prompt_lookup import no_label


@pytest.mark.parametrize(
    ("label", "says"), [("v3", "; the version is written `support_agent:v3`"), ("v0", "`latest`")]
)
def test_version_asked_for_as_a_label_is_spelt(label: str, says: str) -> None:
    """`support_agent@v3` is an easy slip; there is no version 0 to point at."""
    said = no_label(new_head(latest=4), label)

    assert said.startswith(f"the prompt `support_agent` has no label `{label}`; it has: `latest`")
    assert said.endswith(says)
