"""What a field of OpenAI's may hold where lor3's own bodies have nothing like it."""

from domain.json_value import JSONObject, JSONValue
from domain.values import frozen
from entrypoints.http.checks import Faults, Schemas, fault


@frozen(kw_only=True)
class Refused:
    """A field that is known and can't be served."""

    why: str
    harmless: tuple[JSONValue, ...] = ()
    """Values that ask for nothing, and so are as good as left out. null always is."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> None:
        if not any(value is each for each in self.harmless):
            fault(faults, path, self.why)

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"enum": [None, *self.harmless]}


@frozen
class Tolerated:
    """A field that says nothing to a model; whatever it holds is passed over."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> None:
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {}


@frozen
class LeftOut:
    """A field of a turn that is sent back which no provider is sent; reads as whether it held anything."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> bool:
        return value is not None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {}


@frozen(kw_only=True)
class Exactly:
    """One value, which is also the default."""

    value: JSONValue
    why: str

    def read(self, value: JSONValue, path: str, faults: Faults) -> JSONValue:
        # `1 == True` in Python, and not in JSON.
        if value != self.value or isinstance(value, bool) is not isinstance(self.value, bool):
            fault(faults, path, self.why)
            return None
        return value

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"const": self.value}
