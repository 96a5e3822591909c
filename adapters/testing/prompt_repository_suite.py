"""What every store must keep of prompts, and how it is read: a part of `StoreSuite`."""

import datetime

import attrs

from adapters.testing.prompts_to_store import (
    NAME,
    NOW,
    OTHER_TENANT,
    Stores,
    found,
    head_of,
    new_head,
    new_move,
    new_version,
    save,
    system_text,
)
from domain.ids import DEFAULT_TENANT
from domain.prompt.document import document_text
from domain.prompt.reference import MAX_VERSION, PromptName, VersionRef
from domain.prompt.source import Origin, PromptSource, Turn, Variable
from domain.prompt.version import FileLink, Label, Pin, RemoteLink, VersionOutline


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
            file=FileLink(path="config/prompts/ä.yaml", hash="1" * 64, in_folder="3" * 64),
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
                Turn(role="user", template="?", origin=Origin(file="x.yaml", line=3)),
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
            (version,) = await work.prompts.find([VersionRef(NAME, 1)])
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
            assert await work.prompts.history(odd, limit=9) == ()
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
            first = await work.prompts.history(NAME, limit=5)
            rest = await work.prompts.history(NAME, below=8, limit=100)
            assert await work.prompts.history(NAME, below=1, limit=5) == ()
            assert await work.prompts.history(NAME, limit=0) == ()
            assert len(await work.prompts.history(NAME, below=2**70, limit=2**70)) == 12
        assert [version.number for version in first] == [12, 11, 10, 9, 8]
        assert [version.number for version in rest] == [7, 6, 5, 4, 3, 2, 1]

    async def test_outlines_tell_of_versions_without_their_texts(self, stores: Stores) -> None:
        """The hash, the whole description and the size of the document in bytes, by reference and in the history."""
        store, _ = stores
        described = attrs.evolve(system_text("ä" * 1000), description='\x1f"🙂' * 3333)
        versions = [
            new_version(source=described),
            new_version(number=2, source=attrs.evolve(described, description="")),
            new_version(number=3, source=system_text('{"description":"none"}')),
        ]
        await save(store, *versions)
        expected = [
            VersionOutline(
                name=version.name,
                number=version.number,
                hash=version.hash,
                description=version.source.description,
                size_bytes=len(document_text(version.source).encode()),
            )
            for version in versions
        ]

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            refs = [version.ref for version in versions]
            got = await work.prompts.outlines([*refs, VersionRef(NAME, 4), VersionRef(NAME, 2**70), refs[0]])
            assert await work.prompts.outlines([]) == ()
            assert tuple(expected[::-1]) == await work.prompts.history(NAME, limit=9)
        assert expected == sorted(got, key=lambda outline: outline.number)
        assert expected[0].size_bytes > 2000

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

    async def test_removed_prompt_leaves_its_counters(self, stores: Stores) -> None:
        """Nothing reads it but `removed`, which gives neither labels nor links; a `put` makes it a prompt again."""
        store, other = stores
        label = Label(name="production", weights=((1, 1),), moved_at=NOW)
        full = attrs.evolve(
            new_head(),
            next_number=5,
            revision=17,
            labels=(label,),
            file=FileLink(path="support.yaml", hash="1" * 64),
            assistant=RemoteLink(id="asst_1", hash="2" * 64),
        )
        left = attrs.evolve(full, latest=0, labels=(), file=None, assistant=None)
        await save(store, new_version(PromptName("tone")))
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            assert await work.prompts.removed(NAME) is None
            await work.prompts.put(full)
            assert await work.prompts.removed(NAME) is None
            await work.prompts.remove(NAME)
            assert left == await work.prompts.removed(NAME)
            await work.prompts.remove(NAME)
            await work.commit()

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert left == await work.prompts.removed(NAME)
            assert await work.prompts.get(NAME) is None
            assert await work.prompts.lock(NAME) is None
            assert [head.name for head in await work.prompts.list(limit=9)] == ["tone"]
            assert [head.name for head in await work.prompts.list(limit=1)] == ["tone"]
            anew = attrs.evolve(left, latest=5, next_number=6, revision=18)
            await work.prompts.put(anew)
            assert await work.prompts.removed(NAME) is None
            await work.commit()
        assert anew == await head_of(store)
        async with store.unit_of_work(OTHER_TENANT) as work:
            assert await work.prompts.removed(NAME) is None

    async def test_removal_that_is_not_committed_removes_nothing(self, stores: Stores) -> None:
        """Others see the prompt until then."""
        store, other = stores
        await save(store, new_version())
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.remove(NAME)
            assert await work.prompts.get(NAME) is None
            assert new_head() == await head_of(other)

        assert new_head() == await head_of(store)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.prompts.removed(NAME) is None

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
                assert [theirs.ref] == [each.ref for each in await work.prompts.history(NAME, limit=9)]
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
