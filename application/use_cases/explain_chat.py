"""Explain a chat without sending it."""

import attrs

from application.use_cases.chat_command import SendChatCommand
from domain.explanation import Explanation


@attrs.define(kw_only=True)
class ExplainChat:
    """Everything SendChat would do up to the provider call, shown; nothing is sent or stored."""

    async def execute(self, command: SendChatCommand) -> Explanation:
        raise AssertionError(command)
