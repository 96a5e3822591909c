"""Identifiers. All are UUIDv7 strings (RFC 9562, section 5.7): unique without a database, sorted by time."""

from typing import NewType

Tenant = NewType("Tenant", str)
SessionId = NewType("SessionId", str)
ThreadId = NewType("ThreadId", str)
MessageId = NewType("MessageId", str)
AttemptId = NewType("AttemptId", str)

DEFAULT_TENANT = Tenant("default")
"""Every row's tenant until API keys name one."""
