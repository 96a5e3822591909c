"""What moves prompts in and out of lor3. Commands alone use it, so a server never imports it."""

from collections.abc import Callable

from application.ports.assistants import Assistants
from application.ports.clock import Clock
from application.ports.prompt_documents import PromptDocuments
from application.ports.prompt_files import PromptFiles
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import PromptWriting
from application.use_cases.import_prompt import ImportAssistant, ImportDocument
from application.use_cases.sync_prompt_with_assistant import SyncPromptWithAssistant
from application.use_cases.sync_prompt_with_file import SyncPromptWithFile
from domain.values import frozen


@frozen(kw_only=True)
class PromptTransfer:
    sync_with_file: SyncPromptWithFile
    sync_with_assistant: Callable[[Assistants], SyncPromptWithAssistant]
    """For one server: `bootstrap.open_assistants` opens it."""
    import_document: ImportDocument
    import_assistant: Callable[[Assistants], ImportAssistant]

    @classmethod
    def over(
        cls,
        *,
        documents: PromptDocuments,
        files: PromptFiles,
        unit_of_work: UnitOfWorkFactory,
        writing: PromptWriting,
        oven: PromptOven,
        clock: Clock,
    ) -> "PromptTransfer":
        return cls(
            sync_with_file=SyncPromptWithFile(
                files=files, unit_of_work=unit_of_work, writing=writing, oven=oven, clock=clock
            ),
            sync_with_assistant=lambda assistants: SyncPromptWithAssistant(
                assistants=assistants, unit_of_work=unit_of_work, writing=writing, oven=oven, clock=clock
            ),
            import_document=ImportDocument(
                documents=documents, unit_of_work=unit_of_work, writing=writing, oven=oven
            ),
            import_assistant=lambda assistants: ImportAssistant(
                assistants=assistants, unit_of_work=unit_of_work, writing=writing, oven=oven
            ),
        )
