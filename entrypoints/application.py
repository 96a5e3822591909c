"""What the entrypoints are given: lor3, wired and running."""

from collections.abc import Awaitable, Callable

import attrs

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.store import Store
from application.ports.telemetry import Telemetry
from application.use_cases.describe_service import DescribeService
from application.use_cases.explain_chat import ExplainChat
from application.use_cases.send_chat import SendChat
from entrypoints.settings import Settings


@attrs.frozen(kw_only=True)
class Application:
    settings: Settings
    send_chat: SendChat
    explain_chat: ExplainChat
    describe_service: DescribeService
    store: Store
    telemetry: Telemetry
    clock: Clock
    ids: IdGenerator
    metrics: Callable[[], bytes]
    """Prometheus' text exposition of this process."""
    scrape: Callable[[], Awaitable[bytes]] | None = None
    """That of all processes that share the port, where there are several."""
