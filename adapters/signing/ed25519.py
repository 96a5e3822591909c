"""Ed25519 by `cryptography`, which is loaded for the first signature: 25 ms and 6 MB that few servers need."""

import base64
import binascii
import sys
from typing import TYPE_CHECKING, Final

from domain.values import frozen

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MODULE: Final = "cryptography.hazmat.primitives.asymmetric.ed25519"


@frozen
class Ed25519Signer:
    @property
    def is_ready(self) -> bool:
        return _MODULE in sys.modules

    def prepare(self) -> None:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401 - so that it is loaded

    def public_key(self, seed: bytes) -> str:
        raw = _private_key(seed).public_key().public_bytes_raw()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def sign(self, seed: bytes, text: bytes) -> bytes:
        return _private_key(seed).sign(text)

    def verify(self, public_key: str, signature: bytes, text: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            raw = base64.urlsafe_b64decode(public_key + "=" * (-len(public_key) % 4))
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, text)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def _private_key(seed: bytes) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)
