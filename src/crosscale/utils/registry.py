"""Names for things that can be chosen: built in, announced by a package, or given as a path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from crosscale.errors import CrosscaleError, nearest
from crosscale.utils.plugins import announced, is_import_path, load_object


@dataclass(frozen=True)
class Registry:
    """Things of one kind by name. Nothing is imported before it is asked for.

    Attributes:
        kind: what they are, for messages: `encoder`.
        group: the entry-point group in which packages announce more.
        named: import path by name, of those that are named by hand.
        package: where the others are found: each file that defines a class right below `base`
            is called as the file.
        base: name of a class.
    """

    kind: str
    group: str
    named: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    package: str = ""
    base: str = ""

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
            CrosscaleError: when there is none of that name, or its module cannot be imported.
        """
        if is_import_path(name):
            return load_object(name)
        paths = self.built_in()
        if name not in paths:  # looking through installed packages takes a while
            paths = self.paths()
        if name not in paths:
            raise CrosscaleError(
                f"no {self.kind} '{name}': {nearest(name, paths, f'crosscale list {self.kind}s')}"
            )
        return load_object(paths[name])

    def name_of(self, found: type) -> str:
        """The name under which a class is found again: registered, or its import path."""
        path = f"{found.__module__}:{found.__qualname__}"
        return next((name for name, known in self.paths().items() if known == path), path)


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
