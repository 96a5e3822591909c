"""Whether lor3 may listen where others than this machine can call it."""

from application.ports.key_store import KeyStore
from domain.errors import ConfigurationError, Fault, StorageUnavailable
from entrypoints.settings import Settings, is_loopback


async def demand_keys(settings: Settings, keys: KeyStore, *, host: str) -> None:
    """Without keys only where that is written out. Where the keys can't be read nobody is let in, so that is no fault.

    Args:
        host: where it is to listen.

    Raises:
        ConfigurationError: whoever reaches the address could do everything.
    """
    if settings.auth.disabled or is_loopback(host):
        return
    try:
        changes = await keys.changes(None)
    except StorageUnavailable:
        return
    if not changes.any_exist:
        raise ConfigurationError.of(
            Fault(
                path="server.host",
                message=f"listening on `{host}`, beyond this machine, without API keys is refused: "
                "make one with `lor3 key create --name web`, listen on 127.0.0.1, or write "
                "`auth: {disabled: true}` where something else in front of lor3 checks who calls",
            )
        )
