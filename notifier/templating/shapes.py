"""The shape of a template's data as its parts use it: a tree of names, lists and what is known of each."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from notifier.domain.errors import Fault

SCALAR = frozenset({"string", "number", "boolean", "null"})


@dataclass(frozen=True, slots=True)
class Use:
    """A place that uses a variable; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(slots=True, eq=False)
class Shape:
    """A variable. `required`: some part uses it whatever the rest of the data is. `kinds`: JSON types it may have."""

    parent: "Shape | None" = None
    properties: "dict[str, Shape]" = field(default_factory=dict)
    item: "Shape | None" = None
    required: bool = False
    kinds: set[str] = field(default_factory=set)
    uses: list[Use] = field(default_factory=list)

    def property(self, name: str) -> "Shape":
        """The variable under this name."""
        if name not in self.properties:
            self.properties[name] = Shape(self)
        return self.properties[name]

    def entry(self) -> "Shape":
        """What stands for every item of the list."""
        if self.item is None:
            self.item = Shape()
        return self.item

    def need(self, sure: bool, use: Use | None = None) -> None:
        """It is used, and so is everything that it hangs on."""
        if use is not None and use not in self.uses:
            self.uses.append(use)
        shape: Shape | None = self
        while shape is not None and sure:
            shape.required = True
            shape = shape.parent

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        if self.properties and "array" not in self.kinds:
            required = sorted(name for name, shape in self.properties.items() if shape.required)
            properties = {name: self.properties[name].schema() for name in sorted(self.properties)}
            return {"type": "object", "properties": properties} | ({"required": required} if required else {})
        if "array" in self.kinds:
            return {"type": "array", "items": self.item.schema() if self.item is not None else {}}
        if "object" in self.kinds:
            return {"type": "object"}
        if self.kinds:
            return {"type": sorted(self.kinds)} if len(self.kinds) > 1 else {"type": next(iter(self.kinds))}
        return {}

    def walk(self, path: str = "") -> "list[tuple[str, Shape]]":
        """Every variable under this one, by path: `items`, `items[].price`."""
        found: list[tuple[str, Shape]] = []
        for name, shape in sorted(self.properties.items()):
            below = f"{path}.{name}" if path else name
            found += [(below, shape), *shape.walk(below)]
        if self.item is not None:
            found += self.item.walk(f"{path}[]")
        return found


def placed(fault: Fault, shape: Shape) -> Fault:
    """A fault of the data, with the first place that uses the variable in its message."""
    path = re.sub(r"\[\d+\]", "[]", fault.field.removeprefix("data.").removeprefix("data"))
    for name, variable in shape.walk():
        if name == path and variable.uses:
            return replace(fault, message=f"{fault.message}; {variable.uses[0]} uses it")
    return fault
