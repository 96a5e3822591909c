"""Every error lor3 raises on purpose. `code` is stable and public; nobody parses messages.

LorError
├── InvalidRequest              invalid_request            the caller's input; all faults at once
│   ├── ContextTooLong          context_length_exceeded
│   ├── ContentFiltered         content_filtered
│   └── NoCapableModel          no_capable_model
├── Unauthenticated             unauthenticated            no key, or none that is known here
├── Forbidden                   forbidden                  the key is known and may not do this
├── BudgetExceeded              budget_exceeded            a hard budget is used up
├── RateLimited                 rate_limited               the caller asks too much at a time
├── NotFound                    not_found
│   └── Absent                  not_found                  a session, a thread or a message
├── Conflict                    conflict                   the thing is in a state that does not allow it
│   ├── LabelProtected          label_protected
│   ├── VersionInUse            version_in_use
│   ├── Diverged                diverged                   both sides changed since they last agreed
│   ├── ThreadBusy              thread_busy                another chat of the thread is being answered
│   ├── AnswerStopped           answer_stopped             before anybody had begun to answer
│   ├── KeyInFlight             idempotency_key_in_flight  the first request with the key is not done yet
│   └── KeyTakenOver            idempotency_key_taken_over a later request with the key went ahead meanwhile
├── KeyReused                   idempotency_key_reused     the key came with another request before
├── PreconditionFailed          precondition_failed        somebody else changed it first
├── AssistantsUnavailable       assistants_unavailable     the server has no Assistants API any more
├── RemoteFailed                remote_failed              a server that is synchronised with failed
├── Overloaded                  overloaded
├── StorageUnavailable          storage_unavailable
│   └── UnreadableVersion       storage_unavailable        a prompt's version that this lor3 does not read
├── DeadlineExceeded            deadline_exceeded
├── AnswerInterrupted           answer_interrupted         the process that made the answer is gone
├── AnswerUnknown               answer_unknown             nobody can say now what becomes of the answer
├── OutputInvalid               output_invalid             the answer does not fit `format` or `schema`
├── ChatFailed                  upstream_*                 every candidate failed; carries the attempts
├── ConfigurationError          configuration_invalid      settings; all faults at once
└── ProviderFailure             (never leaves the router)  one call to one provider failed
"""

from typing import Final, Literal, TypeAlias, TypeVar

import attrs

from domain.limits.budget import BudgetState
from domain.limits.rate import RateRefusal
from domain.values import frozen


@frozen(kw_only=True)
class Fault:
    """One thing that is wrong with an input."""

    path: str
    """Where, as in `messages[2].content`; empty for the whole."""
    message: str
    """What is wrong and what to do."""
    is_unknown_name: bool = attrs.field(default=False, eq=False, repr=False)
    """True where it is a name that no model goes by: some protocols have a status for that."""
    line: int | None = attrs.field(default=None, eq=False, repr=False)
    """Of a configuration file, where that is known."""


class LorError(Exception):
    """The root. `str()` is a sentence for a person; it never holds a key or a provider's own text."""

    code: str = "internal_error"
    retryable: bool = False
    retry_after_s: float | None = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


ErrorT = TypeVar("ErrorT", bound=LorError)


def afresh(error: ErrorT) -> ErrorT:
    """The same error as another object, with nothing of where it was raised.

    Of one that is kept to be raised again: each time it is, its traceback grows, and holds on to all that it met.
    """
    copied = error.__class__.__new__(error.__class__)
    copied.args = error.args
    copied.__dict__.update(error.__dict__)
    return copied


class _Faulty(LorError):
    """An error that names every fault at once."""

    def __init__(self, detail: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.faults = faults


class InvalidRequest(_Faulty):
    """The caller sent something that can't be served; nothing was changed."""

    code = "invalid_request"

    @classmethod
    def of(cls, *faults: Fault) -> "InvalidRequest":
        return cls("; ".join(_sentence(fault) for fault in faults), faults)


class ContextTooLong(InvalidRequest):
    """The prompt does not fit the model's window even after trimming."""

    code = "context_length_exceeded"


class ContentFiltered(InvalidRequest):
    """The provider's content policy refused the prompt."""

    code = "content_filtered"


class NoCapableModel(InvalidRequest):
    """No candidate can do what the request needs."""

    code = "no_capable_model"


class Unauthenticated(LorError):
    """The credential is missing, unknown, expired or revoked: all of these look the same."""

    code = "unauthenticated"

    def __init__(
        self,
        detail: str = "send a valid key as `Authorization: Bearer …`; `lor3 key create` makes one",
        *,
        was_sent: bool = False,
    ) -> None:
        """
        Args:
            was_sent: a credential came, whatever is wrong with it.
        """
        super().__init__(detail)
        self.was_sent = was_sent


class Forbidden(LorError):
    """The caller is known, and may not do this; says what is lacking."""

    code = "forbidden"


class BudgetExceeded(LorError):
    """A hard budget does not hold what this chat may cost; says which, and what is left. Nothing was asked."""

    code = "budget_exceeded"

    def __init__(
        self, detail: str, *, budget: BudgetState | None, retry_after_s: float | None = None
    ) -> None:
        """
        Args:
            budget: the one that is in the way; None where its figures are not the caller's to see.
            retry_after_s: where money is merely reserved for other chats, which may leave some of it.
        """
        super().__init__(detail)
        self.budget = budget
        self.retryable = retry_after_s is not None
        self.retry_after_s = retry_after_s


class RateLimited(LorError):
    """The caller's own limit; providers' are `ProviderFailure`s. Nothing was asked."""

    code = "rate_limited"
    retryable = True

    def __init__(self, detail: str, *, retry_after_s: float, refusal: RateRefusal | None = None) -> None:
        """
        Args:
            refusal: which limit it is, and where the caller stands; None where it is none that is told of.
        """
        super().__init__(detail)
        self.retry_after_s: float | None = retry_after_s
        self.refusal = refusal


class NotFound(LorError):
    """There is no such thing, or it is another tenant's: both look the same."""

    code = "not_found"


AbsentKind: TypeAlias = Literal["session", "thread", "message"]


class Absent(NotFound):
    """There is no such session, thread or message; says which, for those who have a remedy of their own to tell."""

    def __init__(self, detail: str, *, kind: AbsentKind, name: str) -> None:
        """
        Args:
            name: the id that was given, fit to be shown.
        """
        super().__init__(detail)
        self.kind = kind
        self.name = name


class Conflict(LorError):
    """What is asked for can't be done to the thing as it is; nothing was changed."""

    code = "conflict"


class LabelProtected(Conflict):
    code = "label_protected"


class VersionInUse(Conflict):
    """A version that a chat, a label or another prompt needs."""

    code = "version_in_use"


class Diverged(Conflict):
    """Both sides changed since they last agreed; the caller has to say which one counts."""

    code = "diverged"


class ThreadBusy(Conflict):
    """Another chat of the same thread is being answered, and this one may not, or not any longer, wait for it."""

    code = "thread_busy"
    retryable = True
    retry_after_s = 1.0


class AnswerStopped(Conflict):
    """The caller stopped the chat while it waited for its turn: nothing was asked, nothing is stored."""

    code = "answer_stopped"


class KeyInFlight(Conflict):
    """The first request with the same Idempotency-Key is still being answered."""

    code = "idempotency_key_in_flight"
    retryable = True

    def __init__(self, detail: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class KeyTakenOver(Conflict):
    """This run lost its lease on the Idempotency-Key, and another one took it: nothing of this run is stored."""

    code = "idempotency_key_taken_over"
    retryable = True
    retry_after_s = 1.0


class KeyReused(LorError):
    """The Idempotency-Key belongs to a request with another body, or of another route."""

    code = "idempotency_key_reused"


class PreconditionFailed(LorError):
    """It was changed by somebody else since the caller read it; nothing was changed now."""

    code = "precondition_failed"


class AssistantsUnavailable(LorError):
    """The server answers that it has no Assistants API."""

    code = "assistants_unavailable"


class RemoteFailed(LorError):
    code = "remote_failed"
    retryable = True


class Overloaded(LorError):
    code = "overloaded"
    retryable = True
    retry_after_s = 1.0


class StorageUnavailable(LorError):
    code = "storage_unavailable"
    retryable = True
    retry_after_s: float | None = 1.0


class BudgetsUnreadable(StorageUnavailable):
    """What budgets have left can't be looked at, so nothing more is asked. What was said until then is stored, if it
    can be: unlike any other of its kind, this one does not tell that storing failed."""


class UnreadableVersion(StorageUnavailable):
    """Versions of prompts are stored in a form that this lor3 does not read. Trying again does not help."""

    retryable = False
    retry_after_s = None

    def __init__(self, *refs: str) -> None:
        """
        Args:
            refs: `name:v1`
        """
        named = ", ".join(f"`{ref}`" for ref in refs)
        super().__init__(
            f"{named} {'is' if len(refs) == 1 else 'are'} stored in a form that this lor3 does not read: "
            "install a newer one, or make a new version of the prompt and delete this one"
        )
        self.refs = refs


class DeadlineExceeded(LorError):
    code = "deadline_exceeded"
    retryable = True


class AnswerInterrupted(LorError):
    """The process that made the answer died, or was cut off, before the answer's end."""

    code = "answer_interrupted"
    retryable = True


class AnswerUnknown(LorError):
    """It may be under way in another process, which can't be asked now; nothing of it is stored yet."""

    code = "answer_unknown"
    retryable = True
    retry_after_s: float | None = 2.0


class OutputInvalid(LorError):
    """The model's answer does not parse or validate, after one more ask."""

    code = "output_invalid"


class ConfigurationError(_Faulty):
    """The settings can't be used; `faults` names all of them."""

    code = "configuration_invalid"

    @classmethod
    def of(cls, *faults: Fault) -> "ConfigurationError":
        return cls("\n".join(_sentence(fault) for fault in faults), faults)


FailureKind: TypeAlias = Literal[
    "rate_limited",  # 429: this model, for a while
    "quota_exhausted",  # the credential's money is gone
    "auth",  # 401
    "forbidden",  # 403
    "model_not_found",  # 404
    "bad_request",  # 400 that names neither of the next two
    "context_too_long",
    "content_filtered",
    "overloaded",  # 503, 529
    "server_error",  # other 5xx, 409
    "timeout",  # 408, 504 from the provider: it answered, so a retry may work
    "no_answer",  # our own first-token, idle or total limit: never retried on the same route
    "connect",  # name resolution, refused, unreachable, connect limit
    "connection_lost",  # reset or closed before or inside the answer
    "tls",
    "redirect",
    "bad_body",  # 2xx that is not an answer, or one cut short
    "too_large",
    "exhausted",  # no provider's fault: this process is out of file descriptors
]
"""What went wrong in one provider call. The router's policy is a table over these: `domain/routing/policy.py`."""


class ProviderFailure(LorError):
    """One attempt failed. Adapters raise it, the router handles it; callers get a `ChatFailed` or `InvalidRequest`.

    The message is lor3's own words. Of what the provider wrote, only typed facts survive.
    """

    code = "provider_failure"

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        should_retry: bool | None = None,
        parameter: str | None = None,
        stale_connection: bool = False,
    ) -> None:
        super().__init__(detail)
        self.kind: Final[FailureKind] = kind
        self.status = status
        self.retry_after_s = retry_after_s
        """Seconds the provider asked to wait, already cleaned of NaN, negatives and garbage."""
        self.should_retry = should_retry
        """The provider's explicit word (`x-should-retry`), None where it gave none."""
        self.parameter = parameter
        """The request field that the provider named, if it is one of the fields lor3 sends."""
        self.stale_connection = stale_connection
        """A reused connection died before a byte of the answer: one silent retry is safe and expected."""


class ChatFailed(LorError):
    """No candidate answered. `code` is the class of the first (primary) candidate's last failure."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retryable: bool,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.retryable = retryable
        self.retry_after_s = retry_after_s


def _sentence(fault: Fault) -> str:
    return f"{fault.path}: {fault.message}" if fault.path else fault.message
