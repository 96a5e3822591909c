"""What commands that only look are given: the store and the use cases that read it.

Half of what a command costs is importing what it does not use, so each use case is imported when it is asked for.
"""

from typing import TYPE_CHECKING

from domain.values import frozen

if TYPE_CHECKING:
    from application.ports.clock import Clock
    from application.ports.every_tenant import EveryTenantFactory
    from application.ports.key_store import KeyStore
    from application.ports.unit_of_work import UnitOfWorkFactory
    from application.use_cases.export_rated import ExportRated
    from application.use_cases.export_thread import ExportThread
    from application.use_cases.observe_chats import ObserveChats
    from application.use_cases.read_feedback import ReadFeedback
    from application.use_cases.read_threads import ReadThreads
    from application.use_cases.reconcile_invoice import ReconcileInvoice
    from application.use_cases.report_usage import ReportUsage
    from application.use_cases.verify_usage import VerifyUsage
    from entrypoints.settings import Settings


@frozen(kw_only=True)
class Reading:
    """The part of `Application` that changes nothing, by the same names."""

    settings: "Settings"
    unit_of_work: "UnitOfWorkFactory"
    """Raises `StorageUnavailable` where there is no file of a database yet: none is made for who only looks."""
    every_tenant: "EveryTenantFactory"
    """As `unit_of_work`."""
    clock: "Clock"
    keys: "KeyStore"

    @property
    def read_threads(self) -> "ReadThreads":
        from application.use_cases.read_threads import ReadThreads

        return ReadThreads(unit_of_work=self.unit_of_work)

    @property
    def export_thread(self) -> "ExportThread":
        from application.use_cases.export_thread import ExportThread

        return ExportThread(unit_of_work=self.unit_of_work)

    @property
    def read_feedback(self) -> "ReadFeedback":
        from application.use_cases.read_feedback import ReadFeedback

        return ReadFeedback(unit_of_work=self.unit_of_work)

    @property
    def export_rated(self) -> "ExportRated":
        from application.use_cases.export_rated import ExportRated

        return ExportRated(unit_of_work=self.unit_of_work)

    @property
    def report_usage(self) -> "ReportUsage":
        from application.use_cases.report_usage import ReportUsage

        return ReportUsage(unit_of_work=self.unit_of_work, clock=self.clock, keys=self.keys)

    @property
    def observe_chats(self) -> "ObserveChats":
        from application.use_cases.observe_chats import ObserveChats

        return ObserveChats(
            unit_of_work=self.unit_of_work,
            clock=self.clock,
            keys=self.keys,
            every_tenant=self.every_tenant,
        )

    @property
    def verify_usage(self) -> "VerifyUsage":
        from application.use_cases.verify_usage import VerifyUsage

        return VerifyUsage(unit_of_work=self.unit_of_work, clock=self.clock)

    @property
    def reconcile_invoice(self) -> "ReconcileInvoice":
        from application.use_cases.reconcile_invoice import ReconcileInvoice

        kinds = {name: config.kind for name, config in self.settings.providers.items()}
        return ReconcileInvoice(unit_of_work=self.unit_of_work, every_tenant=self.every_tenant, kinds=kinds)
