"""What an API key looks like, and what is kept of it."""

import base64
import hashlib
import hmac
import re
from typing import Final

from domain.errors import Fault

PREFIX: Final = "lor3_sk_"
"""Tells people, and programs that look for leaked secrets, what it is."""
RANDOM_BYTES: Final = 32
_FORM: Final = re.compile(r"lor3_sk_[A-Za-z0-9_-]{43}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_SHOWN: Final = 4
_SEED_PURPOSE: Final = b"lor3 token signing v1"


def key_of(random: bytes) -> str:
    """
    Args:
        random: 32 bytes that nobody can guess.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a key is made of {RANDOM_BYTES} random bytes")
    return PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def is_key(text: str) -> bool:
    """Whether it has the form of one."""
    return _FORM.fullmatch(text) is not None


def hash_of(text: str) -> str:
    """SHA-256 of a credential, in hexadecimal digits. Whatever text: what no wire can carry is no key either."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hint_of(key: str) -> str:
    """How it begins and ends: 48 of its 256 bits."""
    return f"{key[: len(PREFIX) + _SHOWN]}…{key[-_SHOWN:]}"


def signing_seed(key: str) -> bytes:
    """The Ed25519 private key (RFC 8032, section 5.1.5) that a key's owner signs tokens with: 32 bytes.

    It comes from the key itself, so the server keeps no secret and whoever holds the key can sign without it.
    """
    return hmac.digest(key.encode(), _SEED_PURPOSE, "sha256")


def check_names(*, name: str, tenant: str) -> tuple[Fault, ...]:
    """What is wrong with what a key is called and whose it is."""
    faults = [
        Fault(
            path=path,
            message="must be 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit",
        )
        for path, text in (("name", name), ("tenant", tenant))
        if not _NAME.fullmatch(text)
    ]
    if is_id(name):
        faults.append(Fault(path="name", message="can't be told from an id: take a word"))
    return tuple(faults)


def is_id(text: str) -> bool:
    """Whether it names a key by its id."""
    return _UUID.fullmatch(text) is not None
