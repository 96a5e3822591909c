"""What every store must do with prompts: a part of `StoreSuite`."""

import asyncio
import datetime
from collections.abc import Awaitable
from typing import TypeVar

import attrs

from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import MAX_VERSION, PromptName, VersionRef
from domain.prompt.source import Origin, PromptSource, Turn, Variable
from domain.prompt.version import FileLink, Label, LabelMove, Pin, Prompt, PromptVersion, RemoteLink

Stores = tuple[Store, Store]
"""Two started stores over the same data, as two replicas have them."""

NOW = datetime.datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=datetime.UTC)
OTHER_TENANT = Tenant("other")
NAME = PromptName("support_agent")

T = TypeVar("T")


def system_text(text: str) -> PromptSource:
    return PromptSource(turns=(Turn(role="system", template=text),))


def new_head(name: PromptName = NAME, *, latest: int = 1, tenant: Tenant = DEFAULT_TENANT) -> Prompt:
    return Prompt(
        tenant=tenant, name=name, latest=latest, next_number=latest + 1, created_at=NOW, updated_at=NOW
    )


def new_version(
    name: PromptName = NAME,
    number: int = 1,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    source: PromptSource | None = None,
    pins: tuple[VersionRef, ...] = (),
) -> PromptVersion:
    return PromptVersion(
        tenant=tenant,
        name=name,
        number=number,
        hash=f"{number:064x}",
        source=source or system_text(f"You are version {number}."),
        pins=tuple([Pin(written=ref.name, ref=ref, hash="0" * 64) for ref in pins]),
        made_by="api",
        created_at=NOW,
    )


def new_move(number: int, *, label: str = "production", name: PromptName = NAME) -> LabelMove:
    return LabelMove(name=name, label=label, weights=((number, 1),), moved_at=NOW)


async def save(store: Store, *versions: PromptVersion) -> None:
    """The versions, each as the newest of its prompt."""
    for version in versions:
        async with store.unit_of_work(version.tenant) as work:
            await work.prompts.lock(version.name)
            await work.prompts.add_version(version)
            await work.prompts.put(new_head(version.name, latest=version.number, tenant=version.tenant))
            await work.commit()


async def found(
    store: Store, *refs: VersionRef, tenant: Tenant = DEFAULT_TENANT
) -> dict[VersionRef, PromptVersion]:
    async with store.unit_of_work(tenant) as work:
        return {version.ref: version for version in await work.prompts.find(refs)}


async def head_of(store: Store, name: PromptName = NAME) -> Prompt | None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        return await work.prompts.get(name)


async def error_of(work: Awaitable[object]) -> BaseException | None:
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    return outcome if isinstance(outcome, BaseException) else None


class PromptRepositorySuite:
    async def test_prompt_reads_back_as_it_was(self, stores: Stores) -> None:
        """Labels with weights and protection, links and times survive, and a second `put` takes the first's place."""
        store, other = stores
        plain = new_head()
        full = attrs.evolve(
            plain,
            latest=12,
            next_number=14,
            revision=2**40,
            labels=(
                Label(name="production", weights=((3, 90), (12, 10)), protected=True, moved_at=NOW),
                Label(name="staging", weights=((12, 1),), moved_at=NOW, moved_by="ada"),
            ),
            file=FileLink(path="config/prompts/ä.yaml", hash="1" * 64),
            assistant=RemoteLink(id="asst_1", hash="2" * 64),
            updated_at=NOW + datetime.timedelta(days=1),
        )
        for prompt in (plain, full, plain):
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                await work.prompts.lock(NAME)
                await work.prompts.put(prompt)
                assert prompt == await work.prompts.get(NAME)
                await work.commit()

            assert prompt == await head_of(other)

    async def test_version_reads_back_as_it_was(self, stores: Stores) -> None:
        """Turns, variables in their order, pins, author and message survive; where it stood in a file does not."""
        store, other = stores
        source = PromptSource(
            turns=(
                Turn(role="system", template="{{> tone}} 'quoted' \"%s:x\" \\u0000 🙂\n"),
                Turn(role="user", template="", origin=Origin(file="x.yaml", line=3)),
                Turn(role="assistant", template="{{#z}}{{a}}{{/z}}"),
            ),
            is_chat=True,
            variables=(
                Variable(name="z", type="boolean", required=False, default=False),
                Variable(name="a", description="whose name"),
                Variable(name="m", type="integer", required=False, default=2**70),
                Variable(name="e", type="enum", values=("z", "a"), required=False, default="z"),
                Variable(name="n", type="object", required=False, default=None),
                Variable(name="o", type="object", required=False, default={"z": [1, 1.5], "a": None}),
            ),
            description="What it is for.",
        )
        tone, brief = VersionRef(PromptName("tone"), 2), VersionRef(PromptName("brief"), 11)
        version = attrs.evolve(
            new_version(source=source),
            pins=(
                Pin(written="tone", ref=tone, hash="3" * 64),
                Pin(written="brief@staging", ref=brief, hash="4" * 64),
                Pin(written="tone:v2", ref=tone, hash="3" * 64),
            ),
            made_by="cli",
            author="ada",
            message="shorter",
        )
        await save(store, version)

        stored = (await found(other, version.ref))[version.ref]
        assert version == stored
        assert [turn.origin for turn in stored.source.turns] == [None, None, None]

    async def test_every_form_of_source_reads_back_as_it_was(self, stores: Stores) -> None:
        """A text, a chat of a single turn, and a plain file that has no place for declarations stay apart."""
        store, _ = stores
        forms = (
            system_text("Be brief."),
            attrs.evolve(system_text("Be brief."), is_chat=True),
            attrs.evolve(system_text("Be {{how}}."), declares=False),
        )
        await save(store, *(new_version(number=n, source=form) for n, form in enumerate(forms, start=1)))

        stored = await found(store, *(VersionRef(NAME, n) for n in (1, 2, 3)))
        assert forms == tuple(stored[VersionRef(NAME, n)].source for n in (1, 2, 3))

    async def test_time_of_a_prompt_in_another_zone_is_the_same_instant(self, stores: Stores) -> None:
        """Of heads, labels, versions and moves alike, to the microsecond."""
        store, _ = stores
        there = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=45)))
        label = Label(name="production", weights=((1, 1),), moved_at=there)
        head = attrs.evolve(new_head(), labels=(label,), created_at=there, updated_at=there)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.add_version(attrs.evolve(new_version(), created_at=there))
            await work.prompts.put(head)
            await work.prompts.note_move(attrs.evolve(new_move(1), moved_at=there))
            await work.commit()
            (version,) = await work.prompts.versions(NAME, limit=1)
            (move,) = await work.prompts.moves(NAME, "production", limit=1)

        assert head == await head_of(store)
        assert [version.created_at, move.moved_at] == [NOW, NOW]

    async def test_characters_no_database_takes_are_replaced_in_prompts(self, stores: Stores) -> None:
        """U+0000 and half a surrogate pair become U+FFFD, in every text, and what was stored so is found so."""
        store, _ = stores
        version = attrs.evolve(
            new_version(source=system_text("a\0b\ud800")), author="\0ada", message="why\udfff"
        )
        label = Label(name="production", weights=((1, 1),), moved_at=NOW, moved_by="\0")
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.add_version(version)
            await work.prompts.put(
                attrs.evolve(new_head(), labels=(label,), file=FileLink(path="\ud800.yaml", hash=""))
            )
            await work.prompts.note_move(attrs.evolve(new_move(1), author="\0", message="\ud800"))
            await work.commit()

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            head = await work.prompts.get(NAME)
            (stored,) = await work.prompts.find([version.ref])
            (move,) = await work.prompts.moves(NAME, "production", limit=9)
            odd = PromptName("a\0\ud800")
            assert await work.prompts.get(odd) is None
            assert await work.prompts.versions(odd, limit=9) == ()
            assert await work.prompts.find([VersionRef(odd, 1)]) == ()
            assert await work.prompts.moves(odd, "\0", limit=9) == ()
            assert await work.prompts.lock(odd) is None
        assert head is not None
        assert head.file is not None
        assert (head.labels[0].moved_by, head.file.path) == ("\ufffd", "\ufffd.yaml")
        assert (
            stored.source.turns[0].template,
            stored.author,
            stored.message,
        ) == ("a\ufffdb\ufffd", "\ufffdada", "why\ufffd")
        assert (move.author, move.message) == ("\ufffd", "\ufffd")

    async def test_prompts_are_listed_by_name_a_page_at_a_time(self, stores: Stores) -> None:
        """In the order of code points, capitals first, whatever the database's locale; each once."""
        store, _ = stores
        names = ["B", "Z.z", "_x", "a", "a-b", "a.b", "a_b", "aa", "b"]
        for name in reversed(names):
            await save(store, new_version(PromptName(name)))

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            seen: list[str] = []
            while page := await work.prompts.list(after=PromptName(seen[-1]) if seen else None, limit=4):
                assert len(page) <= 4
                seen.extend(prompt.name for prompt in page)
            assert await work.prompts.list(limit=0) == ()
        assert names == seen

    async def test_versions_are_listed_newest_first_by_number(self, stores: Stores) -> None:
        """v10 comes before v9, and `below` begins the next page."""
        store, _ = stores
        await save(store, *(new_version(number=number) for number in range(1, 13)))
        await save(store, new_version(PromptName("other")))

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            first = await work.prompts.versions(NAME, limit=5)
            rest = await work.prompts.versions(NAME, below=8, limit=100)
            assert await work.prompts.versions(NAME, below=1, limit=5) == ()
            assert await work.prompts.versions(NAME, limit=0) == ()
            assert len(await work.prompts.versions(NAME, below=2**70, limit=2**70)) == 12
        assert [version.number for version in first] == [12, 11, 10, 9, 8]
        assert [version.number for version in rest] == [7, 6, 5, 4, 3, 2, 1]

    async def test_find_gives_those_that_exist(self, stores: Stores) -> None:
        """Of several prompts at once; what is absent, or asked for twice, is no error."""
        store, _ = stores
        there = [new_version(), new_version(number=2), new_version(PromptName("tone"))]
        await save(store, *there)
        absent = [VersionRef(NAME, number) for number in (3, 0, -1, MAX_VERSION, 2**70)]

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            refs = [version.ref for version in there]
            got = await work.prompts.find([*refs, *absent, refs[0]])
            assert await work.prompts.find([]) == ()
        assert {version.ref: version for version in there} == {version.ref: version for version in got}
        assert len(got) == 3

    async def test_leaving_without_commit_changes_nothing(self, stores: Stores) -> None:
        """Head, version, deletion, use and move are undone together, and nobody else ever saw them."""
        store, other = stores
        kept = new_version()
        await save(store, kept)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.mark_used([kept.ref], at=NOW)
            await work.prompts.add_version(new_version(number=2))
            await work.prompts.put(new_head(latest=2))
            await work.prompts.note_move(new_move(2))
            assert len(await work.prompts.find([kept.ref, VersionRef(NAME, 2)])) == 2
            assert new_head() == await head_of(other)
            assert await found(other, VersionRef(NAME, 2)) == {}

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert new_head() == await work.prompts.lock(NAME)
            assert (kept,) == await work.prompts.versions(NAME, limit=9)
            assert await work.prompts.moves(NAME, "production", limit=9) == ()
            assert await work.prompts.delete_version(kept.ref)
            assert await work.prompts.find([kept.ref]) == ()
        assert await found(other, kept.ref) == {kept.ref: kept}

    async def test_unit_of_work_goes_on_after_a_commit(self, stores: Stores) -> None:
        """What follows counts from its own commit, and needs its own lock."""
        store, other = stores
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.put(new_head())
            await work.commit()
            assert isinstance(await error_of(work.prompts.put(new_head(latest=2))), RuntimeError)
            assert new_head() == await work.prompts.lock(NAME)
            await work.prompts.put(new_head(latest=3))

        assert new_head() == await head_of(other)

    async def test_writing_needs_the_lock_and_the_tenant(self, stores: Stores) -> None:
        """What would race is refused before it is written, and so is what belongs to another tenant."""
        store, _ = stores
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(PromptName("another"))
            for unlocked in (
                work.prompts.put(new_head()),
                work.prompts.remove(NAME),
                work.prompts.add_version(new_version()),
                work.prompts.delete_version(VersionRef(NAME, 1)),
                work.prompts.note_move(new_move(1)),
            ):
                assert isinstance(await error_of(unlocked), RuntimeError)
            await work.prompts.lock(NAME)
            for foreign in (
                work.prompts.put(new_head(tenant=OTHER_TENANT)),
                work.prompts.add_version(new_version(tenant=OTHER_TENANT)),
            ):
                assert isinstance(await error_of(foreign), ValueError)

    async def test_lock_serialises_the_writers_of_one_name(self, stores: Stores) -> None:
        """Eight at once through two replicas, on a prompt that does not exist yet: none overwrites another."""
        store, other = stores

        async def add(replica: Store) -> None:
            async with replica.unit_of_work(DEFAULT_TENANT) as work:
                head = await work.prompts.lock(NAME)
                number = head.next_number if head else 1
                await asyncio.sleep(0.005)
                await work.prompts.add_version(new_version(number=number))
                await work.prompts.put(new_head(latest=number))
                await work.commit()

        await asyncio.gather(*(add((store, other)[n % 2]) for n in range(8)))

        head = await head_of(store)
        assert head == new_head(latest=8)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert list(range(8, 0, -1)) == [v.number for v in await work.prompts.versions(NAME, limit=99)]

    async def test_lock_waits_for_its_holder_and_sees_what_it_wrote(self, stores: Stores) -> None:
        """Whether the holder commits or gives up; reads do not wait."""
        store, other = stores
        for commits, expected in ((True, new_head()), (False, new_head())):
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                before = await work.prompts.lock(NAME)
                waiting = asyncio.ensure_future(self._locked_head(other))
                await work.prompts.put(new_head() if commits else new_head(latest=9))
                await asyncio.sleep(0.05)
                assert not waiting.done()
                assert before == await head_of(other)
                if commits:
                    await work.commit()
            assert expected == await waiting

    async def test_cancelled_waiter_leaves_nothing_locked(self, stores: Stores) -> None:
        """Nor does a cancelled holder."""
        store, other = stores
        entered = asyncio.Event()

        async def hold() -> None:
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                await work.prompts.lock(NAME)
                await work.prompts.put(new_head())
                entered.set()
                await asyncio.Event().wait()

        holder = asyncio.ensure_future(hold())
        await entered.wait()
        waiter = asyncio.ensure_future(self._locked_head(other))
        await asyncio.sleep(0.05)
        for task in (waiter, holder):
            task.cancel()
        await asyncio.gather(waiter, holder, return_exceptions=True)

        for replica in (store, other):
            assert await self._locked_head(replica) is None

    async def test_lock_that_is_not_had_in_time_is_an_error(self, stores: Stores) -> None:
        """StorageUnavailable within seconds, never a hang; the store is well afterwards."""
        store, other = stores
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            async with asyncio.timeout(10):
                error = await error_of(self._locked_head(other))
            assert isinstance(error, StorageUnavailable)
            assert "try again" in str(error)
            await work.prompts.put(new_head())
            await work.commit()

        assert new_head() == await self._locked_head(other)

    async def test_version_is_written_once(self, stores: Stores) -> None:
        """A number that exists is refused, and nothing of that unit of work is stored, even if it commits."""
        store, _ = stores
        version = new_version()
        await save(store, version)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.put(new_head(latest=7))
            again = attrs.evolve(version, message="again")
            assert isinstance(await error_of(work.prompts.add_version(again)), StorageUnavailable)
            assert isinstance(await error_of(work.commit()), StorageUnavailable)

        assert {version.ref: version} == await found(store, version.ref)
        assert new_head() == await head_of(store)

    async def test_version_that_a_chat_used_can_not_be_deleted(self, stores: Stores) -> None:
        """The first use counts, for ever; marking what is absent says so."""
        store, other = stores
        versions = [new_version(number=number) for number in (1, 2, 3)]
        first, second, third = (version.ref for version in versions)
        await save(store, *versions)
        absent = VersionRef(NAME, 99)
        for replica in (store, other):
            async with replica.unit_of_work(DEFAULT_TENANT) as work:
                marked = await work.prompts.mark_used([second, absent, first, second], at=NOW)
                assert frozenset((first, second)) == marked
                assert await work.prompts.mark_used([], at=NOW) == frozenset()
                assert await work.prompts.mark_used([absent], at=NOW) == frozenset()
                await work.commit()

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            deleted = [
                await work.prompts.delete_version(ref) for ref in (first, second, third, third, absent)
            ]
            await work.commit()
        assert deleted == [False, False, True, False, False]
        assert {first, second} == set(await found(store, first, second, third))
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert frozenset((first,)) == await work.prompts.mark_used([first, third], at=NOW)

    async def test_use_and_deletion_at_once_agree(self, stores: Stores) -> None:
        """Each version is either used and there, or deleted and reported absent to its user, never both."""
        store, other = stores
        numbers = range(1, 13)
        await save(store, *(new_version(number=number) for number in numbers))

        async def use(number: int) -> bool:
            ref = VersionRef(NAME, number)
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                marked = ref in await work.prompts.mark_used([ref], at=NOW)
                await work.commit()
                return marked

        async def delete(number: int) -> bool:
            async with other.unit_of_work(DEFAULT_TENANT) as work:
                await work.prompts.lock(NAME)
                deleted = await work.prompts.delete_version(VersionRef(NAME, number))
                await work.commit()
                return deleted

        for number in numbers:
            order = (use(number), delete(number)) if number % 2 else (delete(number), use(number))
            outcomes = await asyncio.gather(*order)
            used, deleted = outcomes if number % 2 else outcomes[::-1]
            assert used != deleted
            assert used == (VersionRef(NAME, number) in await found(store, VersionRef(NAME, number)))

    async def test_deletion_waits_for_a_use_under_way(self, stores: Stores) -> None:
        """And the other way round: a use waits for the deletion, and finds nothing to use."""
        store, other = stores
        used, gone = new_version(number=1).ref, new_version(number=2).ref
        await save(store, new_version(number=1), new_version(number=2))

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.mark_used([used], at=NOW)
            deletion = asyncio.ensure_future(self._deleted(other, used))
            await asyncio.sleep(0.05)
            assert not deletion.done()
            await work.commit()
        assert not await deletion

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            assert await work.prompts.delete_version(gone)
            use = asyncio.ensure_future(self._used(other, gone))
            await asyncio.sleep(0.05)
            assert not use.done()
            await work.commit()
        assert await use == frozenset()

    async def test_many_uses_at_once_do_not_collide(self, stores: Stores) -> None:
        """In whatever order each names its versions."""
        store, other = stores
        refs = [VersionRef(NAME, number) for number in range(1, 9)]
        await save(store, *(new_version(number=ref.number) for ref in refs))

        marked = await asyncio.gather(
            *(self._used((store, other)[n % 2], *(refs[::-1] if n % 3 else refs)) for n in range(8))
        )

        assert [frozenset(refs)] * 8 == marked

    async def test_including_names_the_versions_that_pin_one(self, stores: Stores) -> None:
        """By name, newest first, each once; a deleted version and one not committed do not count."""
        store, _ = stores
        tone, old = VersionRef(PromptName("tone"), 2), VersionRef(PromptName("tone"), 1)
        agent, zeta = PromptName("agent"), PromptName("zeta")
        await save(
            store,
            new_version(zeta, 1, pins=(tone, tone)),
            new_version(agent, 9, pins=(old, tone)),
            new_version(agent, 10, pins=(tone,)),
            new_version(agent, 11, pins=(tone,)),
            new_version(agent, 12, pins=(old,)),
            new_version(agent, 13),
        )
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(agent)
            assert await work.prompts.delete_version(VersionRef(agent, 11))
            await work.commit()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(zeta)
            await work.prompts.add_version(new_version(zeta, 2, pins=(tone,)))

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            expected = (VersionRef(agent, 10), VersionRef(agent, 9), VersionRef(zeta, 1))
            assert expected == await work.prompts.including(tone, limit=99)
            assert expected[:2] == await work.prompts.including(tone, limit=2)
            assert await work.prompts.including(tone, limit=0) == ()
            assert await work.prompts.including(VersionRef(tone.name, 3), limit=9) == ()
            assert await work.prompts.including(VersionRef(tone.name, 2**70), limit=9) == ()

    async def test_moves_of_a_label_are_listed_newest_first(self, stores: Stores) -> None:
        """In the order they were noted, even at one instant; labels and prompts have each their own."""
        store, other = stores
        noted = [
            attrs.evolve(new_move(1), author="ada", message="ship it"),
            attrs.evolve(new_move(2), weights=((1, 90), (2, 10))),
            attrs.evolve(new_move(3), weights=()),
        ]
        for n, move in enumerate(noted):
            async with (store, other)[n % 2].unit_of_work(DEFAULT_TENANT) as work:
                await work.prompts.lock(NAME)
                await work.prompts.note_move(move)
                await work.prompts.note_move(attrs.evolve(move, label="staging"))
                await work.commit()

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert tuple(noted[::-1]) == await work.prompts.moves(NAME, "production", limit=99)
            assert (noted[2],) == await work.prompts.moves(NAME, "production", limit=1)
            assert len(await work.prompts.moves(NAME, "staging", limit=99)) == 3
            assert await work.prompts.moves(NAME, "production", limit=0) == ()
            assert await work.prompts.moves(PromptName("tone"), "production", limit=9) == ()

    async def test_removed_prompt_is_gone_and_its_history_stays(self, stores: Stores) -> None:
        """Once its last version is deleted; the name can be taken anew. Removing what is absent is no error."""
        store, other = stores
        await save(store, new_version())
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.note_move(new_move(1))
            assert await work.prompts.delete_version(VersionRef(NAME, 1))
            await work.prompts.remove(NAME)
            assert await work.prompts.get(NAME) is None
            assert new_head() == await head_of(other)
            await work.commit()

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.prompts.lock(NAME) is None
            await work.prompts.remove(NAME)
            assert await work.prompts.list(limit=9) == ()
            assert (new_move(1),) == await work.prompts.moves(NAME, "production", limit=9)
            await work.commit()
        await save(store, new_version())
        assert new_head() == await head_of(other)

    async def test_tenants_have_prompts_of_their_own(self, stores: Stores) -> None:
        """The same name, numbers and labels: neither sees, changes, deletes, marks or locks the other's."""
        store, other = stores
        tone = VersionRef(PromptName("tone"), 1)
        mine = new_version(pins=(tone,))
        theirs = new_version(tenant=OTHER_TENANT, source=system_text("Theirs."))
        await save(store, mine, theirs, new_version(PromptName("theirs"), tenant=OTHER_TENANT))
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.note_move(new_move(1))
            await work.commit()

        async with store.unit_of_work(DEFAULT_TENANT) as holder:
            await holder.prompts.lock(PromptName("x"))
            async with other.unit_of_work(OTHER_TENANT) as work:
                assert {NAME, "theirs"} == {prompt.name for prompt in await work.prompts.list(limit=9)}
                assert (theirs,) == await work.prompts.versions(NAME, limit=9)
                assert await work.prompts.including(tone, limit=9) == ()
                assert await work.prompts.moves(NAME, "production", limit=9) == ()
        async with other.unit_of_work(OTHER_TENANT) as work:
            assert frozenset((theirs.ref,)) == await work.prompts.mark_used([theirs.ref], at=NOW)
            await work.prompts.lock(PromptName("theirs"))
            await work.prompts.lock(NAME)
            await work.prompts.put(new_head(latest=5, tenant=OTHER_TENANT))
            await work.prompts.remove(PromptName("theirs"))
            await work.commit()

        assert new_head() == await head_of(store)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            assert await work.prompts.delete_version(mine.ref)
            await work.commit()
        assert {theirs.ref: theirs} == await found(store, theirs.ref, tenant=OTHER_TENANT)

    async def _locked_head(self, store: Store) -> Prompt | None:
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            return await work.prompts.lock(NAME)

    async def _deleted(self, store: Store, ref: VersionRef) -> bool:
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(ref.name)
            deleted = await work.prompts.delete_version(ref)
            await work.commit()
            return deleted

    async def _used(self, store: Store, *refs: VersionRef) -> frozenset[VersionRef]:
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            marked = await work.prompts.mark_used(refs, at=NOW)
            await work.commit()
            return marked
