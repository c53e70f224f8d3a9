"""Principal: the person or service that asks for an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from waybill.exporter.errors import PermissionDenied

#: What JSON keeps as it is. A number with a fraction is not among them: equal ones may differ.
AttributeItem: TypeAlias = str | int | bool
AttributeValue: TypeAlias = AttributeItem | list[AttributeItem]


class MissingAttribute(PermissionDenied, KeyError):
    """The account lacks an attribute that this export needs."""


class Attributes(dict[str, AttributeValue]):
    """Attributes by name. One that is missing refuses the export: `attributes["region"]`."""

    def __missing__(self, name: str) -> AttributeValue:
        raise MissingAttribute(f"Your account has no attribute {name!r}, which this export needs.")


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a service, as its token describes it. It sees its own tenant only."""

    user: str
    tenant: str
    roles: frozenset[str] = frozenset()
    #: What else is known of the caller, for row rules: region, store. Texts, whole numbers,
    #: booleans, and lists of them. A task keeps those of its request.
    attributes: Mapping[str, AttributeValue] = field(default_factory=Attributes, hash=False)

    def __post_init__(self) -> None:
        """Keep a copy of the attributes.

        Raises:
            TypeError: an attribute has a value of another kind.
        """
        kept = Attributes({name: _value(name, it) for name, it in self.attributes.items()})
        object.__setattr__(self, "attributes", kept)


def _value(name: object, value: object) -> AttributeValue:
    if not isinstance(name, str):
        raise TypeError("The name of an attribute is a text.")
    if isinstance(value, list | tuple):
        return [_item(name, item) for item in value]
    return _item(name, value)


def _item(name: str, value: object) -> AttributeItem:
    if not isinstance(value, str | int):
        raise TypeError(
            f"Attribute {name!r} is a {type(value).__name__}: it has to be a text, a whole number, "
            "a boolean, or a list of these."
        )
    return value
