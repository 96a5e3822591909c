"""Routes are worked out once for the same names on the same day."""

import datetime

import attrs
import pytest

from application.services.model_routes import MOST_ROUTES, ModelRoutes, Route
from application.use_cases.chat_command import SendChatCommand
from domain.catalogue import Catalogue
from domain.chat_defaults import ChatDefaults
from domain.errors import InvalidRequest
from domain.message import ImagePart, Message, TextPart
from domain.model import ModelRef, ModelSpec
from lor3.testing import ScriptedProvider, fake_application, fake_settings

TODAY = datetime.date(2026, 11, 23)
OLD = ModelSpec(
    ref=ModelRef("a", "old"),
    retired_on=TODAY + datetime.timedelta(days=1),
    replaced_by=ModelRef("a", "new"),
)
NEW = ModelSpec(ref=ModelRef("a", "new"))


def routes(**changes: object) -> ModelRoutes:
    made = ModelRoutes(
        defaults=ChatDefaults(primary="a:old", fallbacks=("b:other",), max_tokens=100),
        catalogue=Catalogue(
            specs={OLD.ref: OLD, NEW.ref: NEW},
            aliases={"quick": NEW.ref},
            provider_aliases={},
            providers=frozenset({"a", "b"}),
        ),
        unavailable={"b": "its key is missing"},
        words_for_schema=True,
    )
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]  # a test's own keywords


def kept(
    routes: ModelRoutes, model: str | None, fallbacks: tuple[str, ...] | None, day: datetime.date
) -> Route:
    specs, faults = routes.resolve(model, fallbacks, day)
    assert faults == ()
    return routes.keep(model, fallbacks, day, specs)


def test_a_caller_who_names_none_gets_those_that_are_configured() -> None:
    """With the configured wishes, and why one of them can't be called."""
    route = kept(routes(), None, None, TODAY)

    assert [str(spec.ref) for spec in route.specs] == ["a:old", "b:other"]
    assert (route.request.model, route.request.fallbacks) == (OLD.ref, (ModelRef("b", "other"),))
    assert route.request.max_tokens == 100
    assert [each.refusal for each in route.candidates] == [None, "its key is missing"]
    assert route.warnings == ()


def test_each_combination_of_names_has_a_route_of_its_own() -> None:
    """No fallbacks are not the configured ones, and an alias not the name that it stands for."""
    known = routes()
    names: list[tuple[str | None, tuple[str, ...] | None]] = [
        (None, None),
        (None, ()),
        ("quick", ()),
        ("a:new", ()),
        ("a:new", ("a:old",)),
    ]

    made = [kept(known, *each, TODAY) for each in names]

    assert [known.known[model, fallbacks, TODAY] for model, fallbacks in names] == made
    assert [[spec.ref.model for spec in each.specs] for each in made] == [
        ["old", "other"],
        ["old"],
        ["new"],
        ["new"],
        ["new", "old"],
    ]


def test_a_model_that_is_switched_off_is_warned_of_from_that_day_on() -> None:
    """The route of the day before knows nothing of it."""
    known = routes()
    tomorrow = TODAY + datetime.timedelta(days=1)
    kept(known, None, None, TODAY)

    assert (None, None, tomorrow) not in known.known
    assert kept(known, None, None, tomorrow).warnings == ("a:old was switched off on 2026-11-24; use a:new",)
    assert known.known[None, None, TODAY].warnings == ()


def test_a_model_that_is_rerouted_is_another_from_that_day_on() -> None:
    """Where the configuration says so."""
    known = routes(catalogue=attrs.evolve(routes()._catalogue, reroute_retired=True))
    tomorrow = TODAY + datetime.timedelta(days=1)

    assert kept(known, None, (), TODAY).specs == (OLD,)
    assert kept(known, None, (), tomorrow).specs == (NEW,)


def test_another_configuration_has_routes_of_its_own() -> None:
    """What one knows the other does not."""
    one = routes()
    kept(one, None, None, TODAY)
    other = routes(defaults=ChatDefaults(primary="a:new"))

    assert other.known == {}
    assert kept(other, None, None, TODAY).specs == (NEW,)
    assert one.known[None, None, TODAY].specs[0] == OLD


def test_every_name_that_means_no_model_is_named() -> None:
    """By its place in the request."""
    specs, faults = routes().resolve("nobody:x", ("quick", "nobody:y"), TODAY)

    assert specs == (NEW,)
    assert [each.path for each in faults] == ["model", "fallbacks[1]"]


def test_names_that_callers_make_up_do_not_fill_the_memory() -> None:
    """Any name of a configured provider's model is one."""
    known = routes()
    for number in range(MOST_ROUTES + 10):
        kept(known, f"a:{number}", (), TODAY)

    assert len(known.known) == 10


async def test_chats_that_ask_more_are_judged_by_what_they_ask() -> None:
    """A route is of chats that are text alone: one with an image finds that the model can't read it, and the next
    chat without any is answered."""
    provider = ScriptedProvider(["Paris."])
    blind = ModelSpec(ref=ModelRef("a", "blind"), capabilities=frozenset())
    settings = fake_settings({"a": provider}, primary="a:blind", specs=(blind,))
    text = SendChatCommand(request_id="r1", messages=(Message.of("user", "What is the capital of France?"),))
    picture = Message(
        role="user", parts=(TextPart(text="What is this?"), ImagePart(url="https://x.test/y.png"))
    )
    async with fake_application({"a": provider}, settings=settings) as lor3:
        first = await lor3.send_chat.execute(text)
        with pytest.raises(InvalidRequest, match="images"):
            await lor3.send_chat.execute(attrs.evolve(text, messages=(picture,)))
        again = await lor3.send_chat.execute(text)

    assert (first.output, again.output) == ("Paris.", "Paris.")


async def test_a_day_later_a_chat_is_told_that_its_model_was_switched_off() -> None:
    """Of a process that goes on over midnight."""
    provider = ScriptedProvider(["Paris."])
    settings = fake_settings({"a": provider}, primary="a:old", specs=(OLD, NEW))
    command = SendChatCommand(
        request_id="r1", messages=(Message.of("user", "What is the capital of France?"),)
    )
    noon = datetime.datetime.combine(TODAY, datetime.time(12), datetime.UTC)
    async with fake_application({"a": provider}, settings=settings) as lor3:
        assembly = lor3.send_chat._assembly
        days = [
            await assembly.assemble(
                command, now=noon + datetime.timedelta(days=days), new_thread="t", use_prompt=False
            )
            for days in (0, 0, 1, 0)
        ]

    assert [len(each.warnings) for each in days] == [0, 0, 1, 0]
    assert days[0].candidates is days[1].candidates
