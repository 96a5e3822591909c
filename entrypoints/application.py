"""What the entrypoints are given: lor3, wired and running."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from application.ports.clock import Clock
from application.ports.id_generator import IdGenerator
from application.ports.prompt_texts import PromptTexts
from application.ports.rate_limiter import RateLimiter
from application.ports.store import Store
from application.ports.telemetry import Telemetry
from application.services.background import Background
from application.services.key_ring import KeyRing
from application.services.live_answers import LiveAnswers
from application.services.ownership import Ownership
from application.use_cases.change_thread import ChangeThread
from application.use_cases.continue_chat import ContinueChat
from application.use_cases.delete_prompt_version import DeletePromptVersion
from application.use_cases.delete_thread import DeleteThread
from application.use_cases.describe_service import DescribeService
from application.use_cases.explain_chat import ExplainChat
from application.use_cases.export_rated import ExportRated
from application.use_cases.export_thread import ExportThread
from application.use_cases.follow_answer import FollowAnswer
from application.use_cases.fork_thread import ForkThread
from application.use_cases.import_prompt_files import ImportPromptFiles, ImportReport
from application.use_cases.inject_memory import InjectMemory
from application.use_cases.label_prompt import LabelPrompt
from application.use_cases.make_token import MakeToken
from application.use_cases.open_session import OpenSession
from application.use_cases.open_thread import OpenThread
from application.use_cases.pin_message import PinMessage
from application.use_cases.rate_message import RateMessage
from application.use_cases.read_anomalies import ReadAnomalies
from application.use_cases.read_budgets import ReadBudgets
from application.use_cases.read_client_chat import ReadClientChat
from application.use_cases.read_feedback import ReadFeedback
from application.use_cases.read_prompts import ReadPrompts
from application.use_cases.read_threads import ReadThreads
from application.use_cases.render_prompt import RenderPrompt
from application.use_cases.report_usage import ReportUsage
from application.use_cases.resume_chat import ResumeChat
from application.use_cases.send_chat import SendChat
from application.use_cases.stop_answer import StopAnswer
from application.use_cases.version_prompt import VersionPrompt
from domain.values import frozen
from entrypoints.housekeeper import Housekeeper
from entrypoints.prompt_reloader import PromptReloader
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from entrypoints.prompt_transfer import PromptTransfer
    from entrypoints.reload import ConfigReloader


@frozen(kw_only=True)
class Application:
    settings: Settings
    key_ring: KeyRing
    make_token: MakeToken
    rate_limiter: RateLimiter
    ownership: Ownership
    send_chat: SendChat
    live_answers: LiveAnswers
    follow_answer: FollowAnswer
    stop_answer: StopAnswer
    continue_chat: ContinueChat
    resume_chat: ResumeChat
    read_budgets: ReadBudgets
    read_client_chat: ReadClientChat
    explain_chat: ExplainChat
    describe_service: DescribeService
    read_prompts: ReadPrompts
    version_prompt: VersionPrompt
    label_prompt: LabelPrompt
    delete_prompt_version: DeletePromptVersion
    render_prompt: RenderPrompt
    read_threads: ReadThreads
    open_session: OpenSession
    open_thread: OpenThread
    change_thread: ChangeThread
    fork_thread: ForkThread
    delete_thread: DeleteThread
    export_thread: ExportThread
    pin_message: PinMessage
    inject_memory: InjectMemory
    rate_message: RateMessage
    read_feedback: ReadFeedback
    export_rated: ExportRated
    report_usage: ReportUsage
    import_prompt_files: ImportPromptFiles
    prompt_transfer: "Callable[[], PromptTransfer]"
    """Made, and imported, when it is asked for."""
    prompt_texts: PromptTexts
    store: Store
    telemetry: Telemetry
    clock: Clock
    ids: IdGenerator
    prompt_report: Callable[[], ImportReport | None]
    """What the last import of the prompt files found; None where there was none yet."""
    prompt_reloader: PromptReloader
    redis_is_there: Callable[[], bool | None] | None
    """None without a Redis."""
    config_reloader: "ConfigReloader"
    """Reads the configuration again, and the prompt files with it."""
    background: Background
    """What goes on though nobody waits for it."""
    housekeeper: Housekeeper
    """Rests until a server starts it."""
    default_prompt_fault: Callable[..., Awaitable[str | None]]
    """Why the configured prompt can't be used; None where it can be, or nobody knows."""
    read_anomalies: ReadAnomalies
    metrics: Callable[[], bytes]
    """Prometheus' text exposition of this process."""
    watch: Callable[[str, Callable[[], float | None]], None]
    """Shows a value as the gauge of that name, read whenever the metrics are."""
    scrape: Callable[[], Awaitable[bytes]] | None = None
    """That of all processes that share the port, where there are several."""
