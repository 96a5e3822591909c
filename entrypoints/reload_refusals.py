"""What a server that runs does not take for its configuration, though one that starts might."""

import datetime
import stat
from pathlib import Path

from domain.errors import ConfigurationError, Fault, InvalidRequest
from entrypoints.settings import Settings


def demand_file(started_with: Settings) -> None:
    """The file is there to be read again.

    Raises:
        ConfigurationError: the server was started with one, and it is gone, or is no file: a pipe has been read already,
            or would be waited for.
    """
    source = started_with.source
    if source is None:
        return
    try:
        mode = Path(source).stat().st_mode
    except OSError:
        raise _refusal(
            f"{source} is gone: put it back, in one move (write another file, then `mv` it there)"
        ) from None
    if not stat.S_ISREG(mode):
        raise _refusal(f"{source} is no regular file, so it can't be read again: restart lor3")


def demand_sense(started_with: Settings, settings: Settings) -> None:
    """It says something, and somebody can answer.

    Raises:
        ConfigurationError: what the file said is gone as a whole, as while it is being written; or none of the models
            that chats get by default can be called any more.
    """
    source = started_with.source
    if source is not None and _says(started_with, source) and not _says(settings, source):
        raise _refusal(f"{source} is empty: nothing is taken back because of that")
    if _is_answered(started_with) and not _is_answered(settings):
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(settings.unavailable.items()))
        raise _refusal(f"no model that chats get by default could be called ({reasons or 'no provider'})")


def _says(settings: Settings, source: str) -> bool:
    name = Path(source).name
    return any(name in origin for origin in settings.origins.values())


def _is_answered(settings: Settings) -> bool:
    today = datetime.date.min  # what is retired is said elsewhere
    for name in (settings.chat.primary, *settings.chat.fallbacks):
        try:
            provider = settings.catalogue.resolve(name, today=today).ref.provider
        except InvalidRequest:
            continue
        if provider in settings.providers and provider not in settings.unavailable:
            return True
    return False


def _refusal(message: str) -> ConfigurationError:
    return ConfigurationError.of(Fault(path="", message=message))
