"""Which texts are ids."""

import pytest

from application.services.thread_lookup import canonical_id
from domain.json_value import JSONValue
from entrypoints.http.checks import Faults, UUIDText

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize("text", [ID, ID.upper(), ID.replace("-", "")])
def test_uuid_is_known_by_one_spelling(text: str) -> None:
    """With or without hyphens, whatever the case."""
    assert ID == canonical_id(text)
    assert ID == UUIDText().read(text, "id", [])


@pytest.mark.parametrize(
    "text",
    [
        "{" + ID.replace("-", "") + "}",
        "urn:" + ID.replace("-", ""),
        "+" + ID.replace("-", "")[1:],
        ID.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
        ID.replace("-", "", 1),
        ID + "\n",
        ID.replace("-", "")[:-2] + "_1",
        "",
    ],
)
def test_other_spelling_names_nothing(text: JSONValue) -> None:
    """Though `uuid.UUID` reads most of them."""
    faults: Faults = []

    assert canonical_id(str(text)) is None
    assert UUIDText().read(text, "id", faults) is None
    assert ["id"] == [fault.path for fault in faults]
