"""What a server's refusal means, in lor3's own words: none of the server's text and no key gets in.

Facts: OpenAI switched the Assistants API off on 2026-08-26 and ends prompt objects on 2026-11-30. A living API
says of an unknown assistant `404 {"error": {"message": "No assistant found with id 'asst_x'.", "type":
"invalid_request_error", …}}`, and of an unknown route `404 {"error": {"message": "Invalid URL (GET /v1/…)"}}`.
"""

import re
import ssl
from typing import Final

from domain.errors import AssistantsUnavailable, LorError, RemoteFailed

WAYS_THAT_WORK: Final = """\
What works instead:
  --base-url URL or OPENAI_BASE_URL                    a server that still serves the Assistants API
  lor3 prompt import --from-file assistant.json        an assistant's JSON that was saved earlier
  lor3 prompt import --from-file FILE                  a dotprompt or Langfuse file
  lor3 prompt edit NAME                                write the prompt here
  lor3 prompt sync NAME --to dir                       keep it in step with a file"""

_GONE: Final = frozenset((404, 405, 410, 501))
_UNKNOWN: Final = re.compile(
    r"\bno (such )?assistant\b|\bassistant\b.{0,200}(not found|not exist|not be found)", re.I | re.S
)
_SWITCHED_OFF: Final = re.compile(
    r"assistants api.{0,200}(deprecat|sunset|shut|switched off|remov|no longer|retired|discontinued)",
    re.I | re.S,
)


def failure_of(error: Exception, *, where: str, assistant_id: str | None) -> LorError | None:
    """The failure that stands for what the SDK raised; None where the server says it has no such assistant.

    Args:
        where: the server's base URL, which holds no credentials.
    """
    import httpx2
    import openai

    if isinstance(error, LorError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _refusal(error.status_code, error.body, where=where, assistant_id=assistant_id)
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return RemoteFailed(f"{where} did not answer in time; try again")
    if any(type(each).__name__ == "AnswerTooLarge" for each in _causes(error)):
        return _final(
            f"{where} sent more than any assistant is long, or compressed it; is it an Assistants API?"
        )
    if any(isinstance(each, ssl.SSLError) for each in _causes(error)):
        return _final(
            f"the TLS connection to {where} failed; check the server's certificate, its name and the clock here"
        )
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return RemoteFailed(
            f"{where} can't be reached or closed the connection; check the URL and the network"
        )
    return garbage(where)


def garbage(where: str) -> RemoteFailed:
    return _final(f"{where} answered with something that is no assistant; check that the URL ends in /v1")


def another(where: str, *, asked: str, answered: str) -> RemoteFailed:
    """
    Args:
        answered: checked to be an id, and so no text of the server's.
    """
    return _final(
        f"{where} was asked for the assistant `{asked}` and answered with `{answered}`; check the URL, and that what "
        "is there is an Assistants API and no cache of one"
    )


def no_answer_in_time(where: str, limit_s: float) -> RemoteFailed:
    return RemoteFailed(f"{where} did not answer within {limit_s:g} s; try again")


def _refusal(status: int, body: object, *, where: str, assistant_id: str | None) -> LorError | None:
    # The SDK hands over what is inside `error`, or the whole body where there is none.
    message = body.get("message") if isinstance(body, dict) else None
    said = message if isinstance(message, str) else ""
    if assistant_id is not None and status == 404 and _UNKNOWN.search(said):
        return None
    if status == 410 or (400 <= status < 500 and _SWITCHED_OFF.search(said)):
        return AssistantsUnavailable(_unavailable(status, where, doubt=None))
    if status in _GONE:
        in_doubt = status == 404 and assistant_id is not None and bool(said) and "Invalid URL" not in said
        return AssistantsUnavailable(_unavailable(status, where, doubt=assistant_id if in_doubt else None))
    if status == 401:
        return _final(f"{where} refused the key (401); check `api_key` of the provider, or OPENAI_API_KEY")
    if status == 403:
        return _final(f"{where} does not allow this key to use assistants (403); check the key's permissions")
    if status == 429:
        return RemoteFailed(
            f"{where} says that there are too many requests, or no money left (429); try later"
        )
    if status >= 500:
        return RemoteFailed(f"{where} failed ({status}); try again later")
    if 300 <= status < 400:
        return _final(f"{where} redirects ({status}), which is not followed; give the URL that it moved to")
    return _final(
        f"{where} refused the request ({status}); check the model's name and the length of the prompt"
    )


def _unavailable(status: int, where: str, *, doubt: str | None) -> str:
    if "api.openai.com" in where:
        what = (
            f"OpenAI has no Assistants API any more: it was switched off on 2026-08-26, and {where} answers "
            f"{status}. Prompt objects end on 2026-11-30"
        )
    else:
        what = (
            f"{where} has no Assistants API: it answers {status}. OpenAI's own was switched off on 2026-08-26; "
            "check that the URL ends in /v1, if the server does serve it"
        )
    if doubt is not None:
        what += f". Or it has the API, but no assistant `{doubt}`: it does not say which"
    return f"{what}.\n{WAYS_THAT_WORK}"


def _final(detail: str) -> RemoteFailed:
    failure = RemoteFailed(detail)
    failure.retryable = False
    return failure


def _causes(error: BaseException) -> "list[BaseException]":
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in found:
        found.append(each)
        each = each.__cause__ or each.__context__
    return found
