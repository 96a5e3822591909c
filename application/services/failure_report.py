"""The one error a caller gets when several models failed."""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.errors import (
    BudgetExceeded,
    BudgetsUnreadable,
    ChatFailed,
    ContentFiltered,
    ContextTooLong,
    FailureKind,
    Fault,
    InvalidRequest,
    LorError,
    NoCapableModel,
    ProviderFailure,
)
from domain.model import ModelRef
from domain.routing.plan import Candidate
from domain.routing.policy import VERDICTS

_ADVICE: Final[Mapping[FailureKind, str]] = {
    "auth": "; the provider refuses lor3's API key: check `providers.<name>.api_key`",
    "forbidden": "; lor3's API key may not use this model: check its permissions at the provider",
    "quota_exhausted": "; the provider's account is out of money or quota: an operator has to top it up",
    "model_not_found": "; the provider does not know the model: check its name",
    "exhausted": "; lor3 itself is out of file descriptors: raise `ulimit -n` or lower `server.max_in_flight`",
    "tls": "; the provider's certificate is not valid: check `providers.<name>.base_url`",
}
"""What to do about it, where waiting will not help."""


_WHY_NOT: Final[Mapping[type[LorError], str]] = {
    BudgetExceeded: "a budget does not hold what it may cost",
    BudgetsUnreadable: "what budgets have left can't be looked at",
}


def final_error(
    candidates: tuple[Candidate, ...],
    failures: list[tuple[ModelRef, ProviderFailure]],
    refusals: Sequence[tuple[ModelRef, InvalidRequest | BudgetExceeded | BudgetsUnreadable]],
    *,
    is_cut: bool,
) -> LorError:
    """The class of the first candidate that was asked or closed decides: it is the one the caller wanted.

    Args:
        failures: calls that failed and routes that were closed, in order.
        refusals: candidates that the request could not be compiled or paid for, in order.
        is_cut: whether a part of an answer was shown.
    """
    if not failures:
        if refusals:
            return _refused_by_all([refusal for _, refusal in refusals])
        return _nobody_to_ask(candidates)
    primary = failures[0][0]
    failure = [each for model, each in failures if model == primary][-1]
    verdict = VERDICTS[failure.kind]
    if failure.kind == "context_too_long":
        return ContextTooLong.of(
            Fault(
                path="messages",
                message=f"the prompt is longer than {primary} can read; shorten it, or name a model with a larger window",
            )
        )
    if failure.kind == "content_filtered":
        return ContentFiltered.of(
            Fault(path="messages", message=f"the content policy of {primary} refused the prompt; rephrase it")
        )
    if failure.kind == "bad_request":
        named = f": it objects to `{failure.parameter}`" if failure.parameter else ""
        return InvalidRequest.of(
            Fault(
                path=failure.parameter or "",
                message=f"{primary} refused the request as invalid{named}; "
                "check the parameters, tools and schema against what this model accepts",
            )
        )
    what = "the answer was cut, and is kept as incomplete" if is_cut else "no model answered"
    return ChatFailed(
        verdict.code,
        f"{what}: {_told(failures)}{_ADVICE.get(failure.kind, '')}{_unaffordable(refusals)}",
        retryable=verdict.retryable,
        retry_after_s=_retry_after_s(failure) if verdict.retryable else None,
    )


def _refused_by_all(refusals: list[InvalidRequest | BudgetExceeded | BudgetsUnreadable]) -> LorError:
    """The first one's, as it is the model that the caller wanted; but where waiting helps another, that is told."""
    first = refusals[0]
    if isinstance(first, BudgetExceeded):
        return next((each for each in refusals if isinstance(each, BudgetExceeded) and each.retryable), first)
    return first


def _unaffordable(
    refusals: Sequence[tuple[ModelRef, InvalidRequest | BudgetExceeded | BudgetsUnreadable]],
) -> str:
    told = ""
    for kind, why in _WHY_NOT.items():
        if models := dict.fromkeys(str(model) for model, refusal in refusals if isinstance(refusal, kind)):
            told += f"; {', '.join(models)} was not asked, as {why}"
    return told


def _nobody_to_ask(candidates: tuple[Candidate, ...]) -> LorError:
    reasons = "; ".join(f"{each.spec.ref}: {each.refusal}" for each in candidates)
    if candidates and not any(each.is_configured for each in candidates):
        return ChatFailed("not_configured", f"no model can be asked: {reasons}", retryable=False)
    general = Fault(path="model", message=f"no model can do what the request needs: {reasons}")
    able = [each for each in candidates if each.is_configured]
    refused = dict.fromkeys(name for each in able for name in each.refused_parameters)
    if not refused:
        return NoCapableModel.of(general)
    faults = [_refused(name, able) for name in refused]
    if not all(each.refused_parameters for each in able):
        faults.append(general)
    return NoCapableModel.of(*faults)


def _refused(parameter: str, candidates: list[Candidate]) -> Fault:
    by = ", ".join(str(each.spec.ref) for each in candidates if parameter in each.refused_parameters)
    return Fault(
        path=parameter,
        message=f"not taken by the provider of {by}; leave it out, or name a model whose provider takes it",
    )


def _told(failures: list[tuple[ModelRef, ProviderFailure]]) -> str:
    last: dict[ModelRef, str] = {}
    for model, failure in failures:
        last[model] = failure.kind
    return ", ".join(f"{model} ({kind})" for model, kind in last.items())


def _retry_after_s(failure: ProviderFailure) -> float | None:
    if failure.retry_after_s is not None:
        return min(failure.retry_after_s, 60.0)
    return 1.0 if failure.kind in ("rate_limited", "overloaded", "exhausted") else None
