"""From a command to the request all candidates are asked with: defaults, models, format, prompt, thread."""

import asyncio
import datetime
from collections.abc import Callable, Mapping

import attrs

from application.ports.chat_provider import ChatProvider
from application.services.model_routes import ModelRoutes, Route
from application.services.placement import Placement
from application.services.prompt_choice import PromptChoice
from application.services.run import Run
from application.use_cases.chat_command import SendChatCommand
from application.use_cases.inject_memory import Injection, InjectMemory
from domain.catalogue import Catalogue
from domain.chat import ChatRequest
from domain.chat_defaults import ChatDefaults
from domain.errors import Fault, Forbidden, InvalidRequest
from domain.ids import DEFAULT_TENANT, MessageId, Tenant
from domain.json_value import JSONObject, JSONValue
from domain.memory import NO_MEMORY, Memory
from domain.message import Message
from domain.model import ModelRef, ModelSpec
from domain.model_rights import ModelRights, told
from domain.output.formatter import Formatter
from domain.routing.plan import NONE_FORBIDDEN, NONE_REFUSED, Candidate, plan_candidates
from domain.summary import Fold
from domain.thread import Session, Thread
from domain.values import evolve, frozen, maker

SchemaCheck = Callable[[JSONObject], tuple[Fault, ...]]


@frozen(kw_only=True)
class Assembly:
    """A request ready to be compiled, with where it belongs."""

    request: ChatRequest
    candidates: tuple[Candidate, ...]
    formatter: Formatter
    session: Session | None
    """None for a new one."""
    thread: Thread | None
    new_turns: tuple[Message, ...]
    """The caller's messages that are not stored yet."""
    injection: Injection | None
    """What the thread gives; None where nothing is asked of it: it is new, or the caller sent a history."""
    warnings: tuple[str, ...]
    parent: MessageId | None = None
    """The stored turn that the answer, or the first of `new_turns`, follows; None where nothing is stored of it."""

    @property
    def memory(self) -> Memory | None:
        return None if self.injection is None else self.injection.memory

    @property
    def due(self) -> Fold | None:
        """What has to be summarised before the chat is sent: see `RequestAssembly.remember`."""
        return None if self.injection is None else self.injection.due

    @property
    def prompt_version(self) -> str | None:
        """Such as `support_agent:v3`; None where no prompt is used."""
        prompt = self.request.prompt
        return None if prompt is None else str(prompt.ref)

    @property
    def prompt_label(self) -> str | None:
        """The label by which that version was chosen, if by one."""
        prompt = self.request.prompt
        return None if prompt is None else prompt.label


_assembly = maker(Assembly)


@frozen(kw_only=True)
class RequestAssembly:
    defaults: ChatDefaults
    catalogue: Catalogue
    providers: Mapping[str, ChatProvider]
    unavailable: Mapping[str, str]
    """Provider name → why it can't be called."""
    formatters: Mapping[str, Formatter]
    words_for_schema: bool
    check_schema: SchemaCheck
    placement: Placement
    memory: InjectMemory
    prompts: PromptChoice
    rights: ModelRights = attrs.field(init=False, eq=False)
    _routes: ModelRoutes = attrs.field(init=False, eq=False)

    @rights.default
    def _rights(self) -> ModelRights:
        return ModelRights(self.catalogue)

    @_routes.default
    def _no_routes(self) -> ModelRoutes:
        return ModelRoutes(
            defaults=self.defaults,
            catalogue=self.catalogue,
            unavailable=self.unavailable,
            words_for_schema=self.words_for_schema,
        )

    async def assemble(
        self, command: SendChatCommand, *, now: datetime.datetime, new_thread: str, use_prompt: bool
    ) -> Assembly:
        """Reads the thread, if one is continued, in one round trip.

        Args:
            new_thread: the id of the thread that is begun where none is continued.
            use_prompt: True where the chat is sent: its prompt's version can't be deleted from then on.

        Raises:
            Forbidden: a model that is named, or each that is configured, is none that the caller's key may use.
            InvalidRequest: a model, format, schema, prompt, variable or the like can't be used; all faults at once.
                Or the thread or session is of another session or user than the one that is named.
            ConfigurationError: the configured prompt is not there.
            NotFound: there is no such thread or session.
            StorageUnavailable: a thread is continued, or a prompt is not at hand, and the database is away.
        """
        today = now.date()
        route = self._routes.known.get((command.model, command.fallbacks, today))
        formatter = self.formatters.get(command.format or self.defaults.format)
        if route is None or formatter is None or command.schema is not None:
            formatter, route = await self._resolve(command, today)
        specs = route.specs
        forbidden = self._forbidden(command, specs) if command.caller.models else NONE_FORBIDDEN
        place = await self.placement.find(command)
        session, thread, injection = place.session, place.thread, place.injection
        prompt = None
        if command.system_prompt is not None or self.prompts.default is not None or command.variables:
            user = command.user if session is None else session.user
            prompt = await self.prompts.render(
                command.system_prompt,
                command.variables,
                tenant=command.tenant,
                # The user's, and the thread's where there is none: neither changes while a thread lives.
                key=user or (new_thread if thread is None else thread.id),
                use=use_prompt,
            )
        request = evolve(
            route.request,
            messages=place.turns,
            history=place.history,
            prompt=prompt,
            memory=None if injection is None or injection.memory is NO_MEMORY else injection.memory,
            format=formatter.name,
            user=command.user,
        )
        if command.is_particular:
            request = _as_wished(request, command)
        candidates = route.candidates
        if forbidden or _asks_more(request):
            candidates = plan_candidates(
                request,
                specs,
                unavailable=self.unavailable,
                words_for_schema=self.words_for_schema,
                refused_parameters=self._refused(command.parameters, specs)
                if command.parameters
                else NONE_REFUSED,
                forbidden=forbidden,
            )
        return _assembly(
            request=request,
            candidates=candidates,
            formatter=formatter,
            session=session,
            thread=thread,
            new_turns=place.new_turns,
            injection=injection,
            warnings=route.warnings if injection is None else route.warnings + injection.warnings,
            parent=place.parent,
        )

    async def remember(self, assembly: Assembly, *, request_id: str, paid: Callable[[Run], None]) -> Assembly:
        """As it is once what is due has been summarised. Only for a chat that is sent.

        Args:
            paid: takes each run of calls as it begins: they are the chat's to pay, whatever becomes of it.

        Raises:
            NotFound: the thread was deleted meanwhile.
            StorageUnavailable: the database is away.
        """
        injection = assembly.injection
        if injection is None or not any(candidate.included for candidate in assembly.candidates):
            return assembly
        stale = injection.warnings
        injection = await self.memory.summarise(injection, request_id=request_id, paid=paid)
        return attrs.evolve(
            assembly,
            injection=injection,
            request=attrs.evolve(assembly.request, memory=injection.memory),
            warnings=(*(each for each in assembly.warnings if each not in stale), *injection.warnings),
        )

    async def name_faults(
        self,
        *,
        format: str | None,  # noqa: A002 - the field's name
        schema: JSONObject | None,
        model: str | None,
        fallbacks: tuple[str, ...] | None,
        today: datetime.date,
        system_prompt: str | None = None,
        variables: Mapping[str, JSONValue] | None = None,
        tenant: Tenant = DEFAULT_TENANT,
    ) -> tuple[Fault, ...]:
        """What is wrong with these alone, for a request that has other faults already. None is "as configured".

        Args:
            variables: None where they can't be read, and so can't be judged.
        """
        faults = (await self._look_up(format, schema, model, fallbacks, today))[2]
        return faults + await self.prompts.name_faults(system_prompt, variables, tenant=tenant)

    def _forbidden(self, command: SendChatCommand, specs: tuple[ModelSpec, ...]) -> frozenset[ModelRef]:
        """Those that the caller may not use and did not name.

        Raises:
            Forbidden: it named one, or none is left.
        """
        models = command.caller.models
        whose = "key" if command.caller.user is None else "token"
        named = 0 if command.model is None else 1
        asked = specs[:named] if command.fallbacks is None else specs[:named] + specs[1:]
        for spec in asked:
            if not self.rights.allows(models, spec.ref):
                raise Forbidden(
                    f"this {whose} may not use the model `{spec.ref}`; it may use: {told(models)}"
                )
        forbidden = frozenset([spec.ref for spec in specs if not self.rights.allows(models, spec.ref)])
        if all(spec.ref in forbidden for spec in specs):
            raise Forbidden(
                f"this {whose} may use none of the configured models; name one in `model` that it may: {told(models)}"
            )
        return forbidden

    def _refused(
        self, parameters: Mapping[str, JSONValue], specs: tuple[ModelSpec, ...]
    ) -> dict[str, frozenset[str]]:
        """Provider name → those that it does not take."""
        names = {spec.ref.provider for spec in specs}
        return {
            name: provider.refused_parameters(parameters)
            for name, provider in self.providers.items()
            if name in names
        }

    async def _resolve(self, command: SendChatCommand, today: datetime.date) -> tuple[Formatter, Route]:
        formatter, specs, faults = await self._look_up(
            command.format, command.schema, command.model, command.fallbacks, today
        )
        if faults or formatter is None:
            others = await self.prompts.name_faults(
                command.system_prompt, command.variables, tenant=command.tenant
            )
            raise InvalidRequest.of(*faults, *others)
        return formatter, self._routes.keep(command.model, command.fallbacks, today, specs)

    async def _look_up(
        self,
        format_name: str | None,
        schema: JSONObject | None,
        model: str | None,
        fallbacks: tuple[str, ...] | None,
        today: datetime.date,
    ) -> tuple[Formatter | None, tuple[ModelSpec, ...], tuple[Fault, ...]]:
        faults: list[Fault] = []
        format_name = format_name or self.defaults.format
        formatter = self.formatters.get(format_name)
        if formatter is None:
            known = ", ".join(sorted(self.formatters))
            faults.append(Fault(path="format", message=f"unknown format `{format_name}`; known: {known}"))
        if schema is not None:
            if formatter is not None and not formatter.wants_json:
                faults.append(
                    Fault(path="schema", message='goes with `"format": "json"` only; add it or drop `schema`')
                )
            # A hostile schema keeps the check busy for a third of a second.
            faults.extend(await asyncio.to_thread(self.check_schema, schema))
        specs, unknown = self._routes.resolve(model, fallbacks, today)
        return formatter, specs, (*faults, *unknown)


def _as_wished(request: ChatRequest, command: SendChatCommand) -> ChatRequest:
    """With the caller's own in place of what is configured."""
    return evolve(
        request,
        schema=command.schema,
        max_tokens=request.max_tokens if command.max_tokens is None else command.max_tokens,
        temperature=request.temperature if command.temperature is None else command.temperature,
        top_p=request.top_p if command.top_p is None else command.top_p,
        stop=command.stop or request.stop,
        seed=request.seed if command.seed is None else command.seed,
        tools=command.tools,
        tool_choice=command.tool_choice,
        parameters=command.parameters,
    )


def _asks_more(request: ChatRequest) -> bool:
    """Whether not every model that is configured can be asked this: it is more than text."""
    if request.tools or request.parameters or request.schema is not None or request.memory is not None:
        return True
    for messages in (request.history, request.messages):
        for message in messages:
            if message.has_images:
                return True
    return False
