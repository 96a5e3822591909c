"""Whatever stands in a file or the environment, there are settings or a ConfigurationError: never another error."""

import json
import string
import tempfile
from pathlib import Path

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigurationError
from entrypoints.configuration import document
from entrypoints.configuration.load import load_settings
from entrypoints.configuration.registry import Registry

REGISTRY = Registry.installed()
NAMES = sorted(
    {
        field.name
        for cl in vars(document).values()
        if isinstance(cl, type) and attrs.has(cl) and cl.__name__.endswith("Document")
        for field in attrs.fields(cl)
    }
)
texts = st.sampled_from(
    [
        "",
        "openai:gpt-4",
        "claude:opus",
        "a:b",
        "${A}",
        "${A",
        "sqlite://",
        "http://[",
        "postgresql://h:x/d",
        "json",
    ]
) | st.text(string.printable, max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from([10**400, -1, 0, 1e308])
)
keys = st.sampled_from([*NAMES, "openai", "claude", "demo", "own", "openai:gpt-4", "a:b"]) | texts
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def _load(text: str, environ: dict[str, str], name: str = "lor3.json") -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            load_settings(config_path=path, environ=environ, cwd=path.parent, registry=REGISTRY)
        except ConfigurationError as error:
            assert error.faults  # noqa: PT017 - either end is right


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), trees, max_size=6))
def test_any_tree_is_settings_or_a_configuration_error(tree: dict[str, object]) -> None:
    """Known names, unlikely values."""
    _load(json.dumps(tree), {"A": "x"})


@settings(max_examples=150)
@given(st.text(max_size=60) | st.text(":-[]{}&*!|>#'\"%@`\n\t ab1~?<", max_size=60))
def test_any_text_is_settings_or_a_configuration_error(text: str) -> None:
    """As YAML and as JSON."""
    _load(text, {}, "lor3.yaml")
    _load(text, {}, "lor3.json")


@settings(max_examples=150)
@given(st.lists(st.sampled_from([name.upper() for name in NAMES]), min_size=1, max_size=3), texts)
def test_any_variable_is_settings_or_a_configuration_error(steps: list[str], value: str) -> None:
    """Known names in any order, unlikely values."""
    _load("{}", {f"LOR3_{'__'.join(steps)}": value})
