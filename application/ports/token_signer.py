"""Signs the tokens that API keys make, and checks them."""

from typing import Protocol


class TokenSigner(Protocol):
    """Ed25519 (RFC 8032), which has one signature for each text. Without I/O; about 0.1 ms a call."""

    @property
    def is_ready(self) -> bool:
        """Whether `prepare` has nothing left to do."""

    def prepare(self) -> None:
        """Loads what it needs, which takes a moment the first time. Can run in a thread."""

    def public_key(self, seed: bytes) -> str:
        """Of the private key `seed`, 32 bytes: base64url without padding, as in a JWK (RFC 8037)."""

    def sign(self, seed: bytes, text: bytes) -> bytes:
        """64 bytes."""

    def verify(self, public_key: str, signature: bytes, text: bytes) -> bool:
        """Whether the owner of `public_key` signed this text. False also where that is no key."""
