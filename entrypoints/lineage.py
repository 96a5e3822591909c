"""An application, and those that take its place when the configuration is read again."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from entrypoints.reload import ConfigReloader, Successor
from entrypoints.settings import Settings
from entrypoints.succession import succeed

if TYPE_CHECKING:
    from application.ports.chat_provider import ChatProvider
    from domain.output.formatter import Formatter
    from domain.passes.compiler_pass import Pass
    from entrypoints.application import Application
    from entrypoints.container import Container


@attrs.define(kw_only=True)
class Lineage:
    """Holds the container of the moment, and closes providers whose configuration is gone.

    A provider that is configured as before stays, with its connections.
    """

    _container: "Container"
    _make: "Callable[[], Container]"
    _open_providers: "Callable[[Settings], dict[str, ChatProvider]]"
    """
    Args:
        settings: with the providers to open alone.
    """
    _load_passes: "Callable[[Settings], tuple[Pass, ...]]"
    _load_formatters: "Callable[[], dict[str, Formatter]]"
    _wire: "Callable[[Container, ConfigReloader], Application]"
    _open: "list[ChatProvider]" = attrs.field(init=False)
    _reloader: ConfigReloader | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._open = list(self._container.chat_providers().values())

    def reloader(self, started_with: Settings) -> ConfigReloader:
        """The one that all applications of the line share."""
        if self._reloader is None:
            self._reloader = ConfigReloader(
                started_with=started_with,
                succeed=self._succeed,
                prompts=self._container.prompt_reloader(),
                telemetry=self._container.telemetry(),
            )
        return self._reloader

    def application(self) -> "Application":
        """The one of the moment."""
        return self._wire(self._container, self.reloader(self._container.settings()))

    async def close_providers(self) -> None:
        """Closes all that are open."""
        while self._open:
            await self._open.pop().aclose()

    def _succeed(self, settings: Settings) -> Successor:
        old, new = self._container, self._make()
        before: Mapping[str, ChatProvider] = old.chat_providers()
        configured = old.settings().providers
        same = {
            name: provider
            for name, provider in before.items()
            if settings.providers.get(name) == configured.get(name) and name not in settings.unavailable
        }
        passes, formatters = self._load_passes(settings), self._load_formatters()
        opened = self._open_providers(
            attrs.evolve(
                settings,
                providers={name: each for name, each in settings.providers.items() if name not in same},
            )
        )
        self._open += opened.values()
        gone = [provider for name, provider in before.items() if name not in same]
        succeed(
            old,
            new,
            settings,
            chat_providers={**same, **opened},
            passes=passes,
            formatters=formatters,
        )
        assert self._reloader is not None  # noqa: S101 - it is who asks
        return Successor(
            application=self._wire(new, self._reloader),
            take_over=lambda: self._take_over(new),
            retire=lambda ended: self._retire(gone, ended),
        )

    def _take_over(self, new: "Container") -> None:
        self._container = new
        settings: Settings = new.settings()
        new.log().use(settings.log.level, settings.log.areas)
        new.prometheus().know(new.known_models())
        new.key_ring().use(
            is_disabled=settings.auth.disabled,
            opens_without_keys=settings.opens_without_keys,
            failed_per_minute=settings.auth.failed_per_minute,
        )
        new.live_answers().use(new.send_chat())
        new.housekeeper().use(new.prune_store())
        settings = new.settings()
        new.key_ring().use(
            is_disabled=settings.auth.disabled,
            opens_without_keys=settings.opens_without_keys,
            failed_per_minute=settings.auth.failed_per_minute,
        )
        new.prompt_reloader().use(
            files=new.prompt_files(),
            import_files=new.import_prompt_files(),
            default_fault=new.prompts().default_fault,
        )

    async def _retire(self, gone: "list[ChatProvider]", ended: Awaitable[None]) -> None:
        """What is cut off here is closed by `close_providers`."""
        await ended
        for provider in gone:
            self._open.remove(provider)
            await provider.aclose()
