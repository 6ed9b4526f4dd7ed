"""Names for things that can be chosen: built in, announced by a package, or given as a path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from crosscale.errors import CrosscaleError, nearest
from crosscale.utils.plugins import announced, by_module, is_import_path, load_object


@dataclass(frozen=True)
class Registry:
    """Things of one kind by name. Nothing is imported before it is asked for.

    Attributes:
        kind: what they are, for messages: `encoder`.
        group: the entry-point group in which packages announce more.
        named: import path by name, of those that are named by hand.
        package: where the others are found: each file that defines a class right below `base`
            is called as the file.
        base: name of the class of this package that all of them derive from.
        methods: of theirs, where a class with these need not derive from the base.
    """

    kind: str
    group: str
    named: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    package: str = ""
    base: str = ""
    methods: tuple[str, ...] = ()

    def built_in(self) -> dict[str, str]:
        """Import path by name of what this package brings."""
        found = _classes(self.package, self.base) if self.package else {}
        return {**found, **self.named}

    def paths(self) -> dict[str, str]:
        """Import path by name: built in, then announced; a built-in name cannot be taken."""
        return {**announced(self.group), **self.built_in()}

    def load(self, name: str) -> Any:
        """What a name stands for.

        Args:
            name: registered, or an import path such as `my_file:MyEncoder`.

        Raises:
            CrosscaleError: when there is none of that name, its module cannot be imported, or it
                is of another kind.
        """
        own = self.built_in()
        if name in own:
            return load_object(own[name])
        found = load_object(name if is_import_path(name) else self._announced(name))
        if lacking := self._lacking(found):
            raise CrosscaleError(f"{name} is no {self.kind}: it {lacking}")
        return found

    def name_of(self, found: type) -> str:
        """The name under which a class is found again: registered, or its import path."""
        return self.spelled(f"{found.__module__}:{found.__qualname__}")

    def spelled(self, name: str) -> str:
        """A name in one spelling: registered where it can be, else by its module.

        `a/b.py:Mine`, `b:Mine` and the name that a package announces for it are the same.
        """
        path = by_module(name)
        return next((known for known, other in self.paths().items() if other == path), path)

    def _announced(self, name: str) -> str:
        """The import path of a name that an installed package announces."""
        paths = self.paths()  # looking through installed packages takes a while
        if name not in paths:
            raise CrosscaleError(
                f"no {self.kind} '{name}': {nearest(name, paths, f'crosscale list {self.kind}s')}"
            )
        return paths[name]

    def _lacking(self, found: Any) -> str:
        """What keeps an object from being of this kind, if anything does."""
        if self.methods:
            missing = [name for name in self.methods if not hasattr(found, name)]
            return f"has no {' and no '.join(missing)}" if missing else ""
        if not self.base:
            return ""
        if not isinstance(found, type):
            return f"is no class, where one that derives from {self.base} belongs"
        own = {kind.__name__ for kind in found.__mro__ if kind.__module__.startswith("crosscale.")}
        return "" if self.base in own else f"does not derive from crosscale's class {self.base}"


@cache
def _classes(package: str, base: str) -> dict[str, str]:
    """Import paths of the classes right below a base, by the names of the files that define them.

    The files are read and not run: importing all of them would take seconds.
    """
    defined = re.compile(rf"^class (\w+)\({base}\):", re.MULTILINE)
    found = {}
    for file in resources.files(package).iterdir():
        name = file.name.removesuffix(".py")
        if file.name.endswith(".py") and (match := defined.search(file.read_text("utf-8"))):
            found[name] = f"{package}.{name}:{match[1]}"
    return dict(sorted(found.items()))
