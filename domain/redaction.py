"""Takes what is secret or personal out of a text, before it is written where it does not belong.

For prompts and answers that an operator wants in a log or a trace. What it looks for: private keys; credentials by
their known beginnings (`sk-…`, `ghp_…`, `AKIA…`, `AIza…`, JSON web tokens, lor3's own), behind `Bearer` or `Basic`,
in URLs, or behind a name such as `password=`, also in JSON within JSON, in XML, in an option of a command and encoded
for a URL; e-mail addresses; card numbers, told by their check digit; and long runs of hexadecimal digits or base64,
which are keys more often than not. It errs towards taking too much out. It is no
promise that nothing personal is left: names, addresses and phone numbers stay.

Every pattern is bounded, so that no text takes more than linear time.
"""

import re
from typing import Final

from domain.card_number import without_cards

_KEY: Final = "[redacted key]"
_SECRET: Final = "[redacted secret]"
_EMAIL: Final = "[redacted e-mail]"
_CARD: Final = "[redacted card]"
_BEGIN_PRIVATE: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END_PRIVATE: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

_KNOWN_KEY: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|pk|rk|lor3|whsec)[-_][A-Za-z0-9_-]{8,512}"
    r"|(?:gh[opsur]|github_pat|glpat|hf|npm|xox[abeprs]|xapp|shpat|dop_v1)[-_][A-Za-z0-9_-]{8,512}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,128}"
    r"|AIza[A-Za-z0-9_-]{20,128}"
    r"|ya29\.[A-Za-z0-9_-]{10,512}"
    r"|SG\.[A-Za-z0-9_-]{8,128}\.[A-Za-z0-9_-]{8,128}"
    r"|eyJ[A-Za-z0-9_-]{5,4096}\.[A-Za-z0-9_-]{2,8192}(?:\.[A-Za-z0-9_-]{0,2048})?"
    r")"
)
_SCHEME: Final = re.compile(r"(?i)\b(bearer|basic)(?:\s{1,4}|%20|\+)[A-Za-z0-9._~+/=-]{6,8192}")
_URL_PASSWORD: Final = re.compile(r"(://[^\s:/@]{0,256}:)[^\s/@]{1,512}(?=@)")
_NAME: Final = (
    r"(?:api[-_ ]?key|access[-_ ]?key|secret(?:[-_ ]?key)?|private[-_ ]?key|client[-_ ]?secret|"
    r"(?:access|auth|refresh|session|bearer)?[-_ ]?token|password|passwd|passphrase|pwd|authorization)"
)
_QUOTE: Final = r"(?:\\{0,8}[\"'`]|%(?:25){0,2}2[27]|&quot;|&#3[49];)"
"""Plain, in a JSON string within a JSON string, in a URL, in HTML."""
_QUOTED: Final = rf"(?P<quote>{_QUOTE})(?:(?!(?<!\\)(?P=quote))[^\n]){{1,2048}}(?:(?P=quote))?"
"""Up to a quote of the same kind; one that was cut off, to the end."""
_VALUE: Final = rf"(?:{_QUOTED}|(?!\[redacted)[^\s\"',;&]{{3,512}})"
_NESTED: Final = rf"(?:[\[{{]\s{{0,4}}(?:{_QUOTE}[\w-]{{1,64}}{_QUOTE}\s{{0,4}}:\s{{0,4}})?){{0,3}}"
"""The value of `{"password": {"value": "…"}}` is the first in it."""
_NAMED: Final = re.compile(
    rf"(?i)({_NAME}{_QUOTE}?\s{{0,4}}(?::=|=>|[:=]|%(?:25){{0,2}}3[ad])\s{{0,4}}{_NESTED}){_VALUE}"
)
_OPTION: Final = re.compile(
    rf"(?i)(--(?:\w{{1,16}}-){{0,3}}{_NAME}(?:\s{{1,4}}|{_QUOTE}\s{{0,4}},\s{{0,4}}(?={_QUOTE})))(?!-){_VALUE}"
)
"""`--password …`, and as a list of arguments."""
_ELEMENT: Final = re.compile(
    rf"(?i)((?:<|&lt;)(?:[\w-]{{1,16}}[:._-]){{0,3}}{_NAME}(?:\s(?:(?!&gt;)[^<>]){{0,256}})?(?:>|&gt;)\s{{0,4}}(?:<!\[CDATA\[)?)"
    r"(?:(?!<|&lt;|\[redacted)[\s\S])(?:(?!<|&lt;|\]\]>)[\s\S]){0,512}"
)
_QUERY: Final = re.compile(
    r"(?i)((?:[?&]|%(?:25){0,2}(?:3f|26))(?:sig|signature|x-(?:amz|goog)-signature|key|pass)(?:=|%(?:25){0,2}3d))"
    r"(?!\[redacted)[^\s&#\"'<>\\]{1,1024}"
)
"""What signs an address, as Azure's `sig`, or opens it, as Google's `key`."""
_ADDRESS: Final = re.compile(
    r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}", re.UNICODE
)
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:0x)?[0-9a-fA-F]{32,}(?![0-9A-Za-z])")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{40,}={0,2}")


def redact(text: str) -> str:
    """`text` with what is secret or personal replaced by `[redacted …]`."""
    if "PRIVATE KEY" in text:
        text = _without_private_keys(text)
    text = _SCHEME.sub(rf"\1 {_SECRET}", text)
    text = _KNOWN_KEY.sub(_KEY, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1{_SECRET}", text)
    text = _QUERY.sub(rf"\1{_SECRET}", text)
    text = _NAMED.sub(rf"\1{_SECRET}", text)
    if "--" in text:
        text = _OPTION.sub(rf"\1{_SECRET}", text)
    if ">" in text or "&gt;" in text:
        text = _ELEMENT.sub(rf"\1{_SECRET}", text)
    if "@" in text:
        text = _ADDRESS.sub(_EMAIL, text)
    text = without_cards(text, _CARD)
    text = _HEX.sub(_SECRET, text)
    return _BASE64.sub(_encoded, text)


def _without_private_keys(text: str) -> str:
    """One that has no end reaches to the end of the text."""
    kept, at = [], 0
    while begin := _BEGIN_PRIVATE.search(text, at):
        kept += [text[at : begin.start()], _KEY]
        end = _END_PRIVATE.search(text, begin.end())
        if end is None:
            return "".join(kept)
        at = end.end()
    return "".join([*kept, text[at:]])


def _encoded(match: re.Match[str]) -> str:
    """Words joined by `-`, `_` or `/` are paths and names: what is encoded mixes cases with digits."""
    run = match[0]
    longest = max(re.split(r"[-_/]", run), key=len)
    mixes = any(c.isdigit() for c in run) and any(c.isupper() for c in run) and any(c.islower() for c in run)
    return _SECRET if mixes and len(longest) >= 12 else run
