"""Assistants without a server."""

import attrs

from application.ports.assistants import Assistant


@attrs.define
class InMemoryAssistants:
    """Every assistant by its id; tests change them as they like."""

    assistants: dict[str, Assistant] = attrs.field(factory=dict)

    def add(self, assistant_id: str, instructions: str, *, name: str | None = None) -> None:
        self.assistants[assistant_id] = Assistant(
            id=assistant_id, name=name, instructions=instructions, model="gpt-4o"
        )

    async def get(self, assistant_id: str) -> Assistant | None:
        return self.assistants.get(assistant_id)

    async def create(self, *, name: str, instructions: str, model: str) -> Assistant:
        made = Assistant(
            id=f"asst_made{len(self.assistants) + 1}", name=name, instructions=instructions, model=model
        )
        self.assistants[made.id] = made
        return made

    async def update(self, assistant_id: str, *, instructions: str) -> Assistant:
        updated = attrs.evolve(self.assistants[assistant_id], instructions=instructions)
        self.assistants[assistant_id] = updated
        return updated

    async def aclose(self) -> None:
        """Nothing is open."""
