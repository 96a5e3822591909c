"""What is taken out of prompts and answers before they are written to a log or a trace."""

import pytest

from domain.redaction import redact
from tests.support.spent import cpu_below


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-AbCdEf_1234567890",
        "lor3_live_abcdefghijkl1234",
        "ghp_1234567890abcdefghij1234567890abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "xoxb-123456789012-abcdefghijkl",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk",
        "ada.lovelace+test@example.co.uk",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "378282246310005",
        "d41d8cd98f00b204e9800998ecf8427e",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY1234567",
    ],
)
def test_secrets_are_taken_out_wherever_they_stand(secret: str) -> None:
    """Alone, in a sentence, in JSON, in quotes, at the end of a line."""
    for around in ("{}", "it is {}, keep it", '{{"x": "{}"}}', "'{}'", "<{}>", "a\n{}\nb", "see ({})."):
        told = redact(around.format(secret))

        assert secret not in told, around
        assert "[redacted" in told


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("authorization: basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("password=hunter22", "hunter22"),
        ('{"password": "correct horse battery"}', "correct horse"),
        ("api_key: 'short1'", "short1"),
        ("client-secret => abcdef", "abcdef"),
        ("postgresql://lor3:hunter22@db/lor3", "hunter22"),
        ("?token=abcdef&x=1", "abcdef"),
        (r'{"arguments": "{\"password\":\"hunter19secret\"}"}', "hunter19secret"),
        (r"{\\\"password\\\": \\\"it is hunter19secret\\\"}", "hunter19secret"),
        ('{"password": "half\\" hunter19secret"}', "hunter19secret"),
        ('{"password": "cut off: hunter19secret', "hunter19secret"),
        ('{"password":{"value":"hunter19secret"}}', "hunter19secret"),
        ('{"passwords": 1, "password": ["hunter19secret"]}', "hunter19secret"),
        ("tool --password hunter19secret --verbose", "hunter19secret"),
        ("tool --db-password 'my hunter19secret'", "hunter19secret"),
        ('["--api-key", "hunter19secret"]', "hunter19secret"),
        ("<password>hunter19secret</password>", "hunter19secret"),
        ("<db:password type='x'><![CDATA[hunter19secret]]></db:password>", "hunter19secret"),
        ("&lt;password&gt;hunter19secret&lt;/password&gt;", "hunter19secret"),
        ("password%3Dhunter19secret", "hunter19secret"),
        ("%22password%22%3A%22hunter19secret%22", "hunter19secret"),
        ("https://a.blob.core.windows.net/b?se=1&sig=hunter19secret", "hunter19secret"),
        ("https://maps.example/api?key=hunter19secret", "hunter19secret"),
    ],
)
def test_what_is_named_a_secret_is_one(text: str, gone: str) -> None:
    """However it looks."""
    assert gone not in redact(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            r"{\"password\":\"hunter19\",\"user\":\"ada\"}",
            r"{\"password\":[redacted secret],\"user\":\"ada\"}",
        ),
        ("run --password hunter19 --user ada", "run --password [redacted secret] --user ada"),
        ("run --password --user ada", "run --password --user ada"),
        ("<password>hunter19</password>", "<password>[redacted secret]</password>"),
        ("?sig=hunter19&x=1", "?sig=[redacted secret]&x=1"),
        ("case34 4111-1111-1111-1111", "case34 [redacted card]"),
        ("My card is 4111 1111 1111 1111.", "My card is [redacted card]."),
    ],
)
def test_only_the_secret_goes(text: str, left: str) -> None:
    """What stands around it can still be read."""
    assert left == redact(text)


def test_private_keys_go_whole() -> None:
    """One that was cut off goes to the end."""
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----"

    assert redact(f"a {key} b {key} c") == "a [redacted key] b [redacted key] c"
    assert redact(f"a {key[:45]}") == "a [redacted key]"


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "Order 1234567890123 of 2026-11-23 costs 1,250.00 EUR",
        "019aa1f0-7b7c-7b41-8a14-6a5cf1d3b8aa is a message's id",
        "see src/entrypoints/configuration/interpolation_of_values_in_files.py",
        "a_very_long_snake_case_name_that_is_not_a_secret_at_all_but_a_name",
        "the secret of success, and the token economy",
        "pi is 3.14159265358979323846",
        "me@home, and @you",
        "日本語のテキスト、そして émigré",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """Numbers that are no cards, ids, paths, names."""
    assert redact(text) == text


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "a@", "=", "eyJa.", "password=", "://", "-----BEGIN PRIVATE KEY-----", "sk-", "a.", '"', "Aa1", "token ", "\\", '\\"', 'password"', "password:[{", '{"a":', "--a-", "--token ", "<a:", "<token ", "&lt;", "?sig", "%25", "[", "`"])  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    """Not even one that was made for it."""
    text = piece * (200_000 // len(piece))
    with cpu_below(10):
        redact(text)
