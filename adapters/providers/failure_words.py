"""lor3's own sentence for each way in which a provider fails. Nothing the provider wrote gets in."""

from collections.abc import Mapping
from typing import Final

from adapters.providers.hints import HeaderLookup, retry_after_s, should_retry
from domain.errors import FailureKind, ProviderFailure

_SENTENCES: Final[Mapping[FailureKind, str]] = {
    "rate_limited": "limits the rate of this model; wait or use another",
    "quota_exhausted": "says that the account has no credit left; add credit or use another key",
    "auth": "refuses the API key; check api_key",
    "forbidden": "forbids this call to the API key; check its permissions",
    "model_not_found": "does not know the model; check its name and the key's access to it",
    "bad_request": "refuses the request as invalid",
    "context_too_long": "says that the prompt is longer than the model's context window",
    "content_filtered": "refuses the prompt by its content policy",
    "overloaded": "is overloaded; try again later",
    "server_error": "failed on its side; try again later",
    "timeout": "timed out on its side; try again later",
    "redirect": "answered with a redirect, which is never followed; check base_url",
    "bad_body": "sent something that is not an answer; check base_url",
    "too_large": "sent more than lor3 reads",
}


def no_header(_name: str) -> str | None:
    return None


def provider_failure(
    kind: FailureKind,
    *,
    status: int | None = None,
    header: HeaderLookup = no_header,
    parameter: str | None = None,
) -> ProviderFailure:
    """The failure for an answer, with the hints of its headers."""
    sentence = f"the provider {_SENTENCES[kind]}"
    return ProviderFailure(
        kind,
        sentence if status is None else f"{sentence} (HTTP {status})",
        status=status,
        retry_after_s=retry_after_s(header),
        should_retry=should_retry(header),
        parameter=parameter,
    )


def kind_of_status(status: int) -> FailureKind:
    """The class of a status alone, as for an HTML page of a proxy in front of the provider."""
    if 300 <= status < 400:
        return "redirect"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 500 <= status < 600:
        return "server_error"
    if 400 <= status < 500:
        return "bad_request"
    return "bad_body"


_BY_STATUS: Final[Mapping[int, FailureKind]] = {
    401: "auth",
    402: "quota_exhausted",
    403: "forbidden",
    404: "model_not_found",
    408: "timeout",
    409: "server_error",
    425: "server_error",
    429: "rate_limited",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
