"""Where new keys come from."""

from collections.abc import Callable

import attrs

from application.ports.id_generator import IdGenerator
from application.ports.token_signer import TokenSigner
from domain.access import ApiKey
from domain.key_text import RANDOM_BYTES, hash_of, hint_of, key_of, signing_seed
from domain.secret import Secret
from domain.values import frozen


@frozen(kw_only=True)
class CreatedKey:
    key: ApiKey
    secret: Secret
    """What its owner sends: nobody can be shown it again."""


@frozen(kw_only=True)
class SecretTraces:
    """All that is kept of a key: it can't be had back from this."""

    hash: str = attrs.field(repr=False)
    public_key: str = attrs.field(repr=False)
    hint: str


@frozen(kw_only=True)
class KeyMaking:
    _ids: IdGenerator
    _signer: TokenSigner
    _random_bytes: Callable[[int], bytes]

    def complete(self, describe: Callable[[str, SecretTraces], ApiKey]) -> CreatedKey:
        """A key of its own randomness; `describe` is given its id and what is kept of it."""
        text = key_of(self._random_bytes(RANDOM_BYTES))
        traces = SecretTraces(
            hash=hash_of(text), public_key=self._signer.public_key(signing_seed(text)), hint=hint_of(text)
        )
        return CreatedKey(key=describe(self._ids.new(), traces), secret=Secret(text))
