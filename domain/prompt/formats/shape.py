"""What is known of a variable's value beyond its type: it decides what a Handlebars block means in lor3."""

from domain.prompt.source import VariableType
from domain.values import frozen


@frozen(kw_only=True)
class Shape:
    """Nothing known is None in place of a shape."""

    type: VariableType
    items: "Shape | None" = None
    """Of a list."""
    fields: "dict[str, Shape | None] | None" = None
    """Of an object; None where any may be there."""

    def may_have(self, field: str) -> bool:
        if self.type == "object":
            return self.fields is None or field in self.fields
        return False


def may_have(shape: Shape | None, field: str) -> bool:
    """Whether a value of `shape` can be an object that has `field`."""
    return shape is None or shape.may_have(field)


def inside(shape: Shape | None, fields: tuple[str, ...]) -> Shape | None:
    """The shape of what is at `fields` in a value of `shape`."""
    for field in fields:
        if shape is None or shape.fields is None:
            return None
        shape = shape.fields.get(field)
    return shape
