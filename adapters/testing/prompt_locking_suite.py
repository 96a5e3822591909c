"""What every store must do where several change prompts at once: a part of `StoreSuite`."""

import asyncio

import attrs

from adapters.testing.prompts_to_store import (
    NAME,
    NOW,
    OTHER_TENANT,
    Stores,
    error_of,
    found,
    head_of,
    new_head,
    new_move,
    new_version,
    save,
)
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.version import Prompt


class PromptLockingSuite:
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
            assert [kept.ref] == [each.ref for each in await work.prompts.history(NAME, limit=9)]
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
            assert list(range(8, 0, -1)) == [v.number for v in await work.prompts.history(NAME, limit=99)]

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
