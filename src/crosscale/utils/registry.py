"""Names for things that can be chosen: built in, announced by a package, or given as a path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosscale.errors import CrosscaleError, nearest
from crosscale.utils.plugins import announced, is_import_path, load_object


@dataclass(frozen=True)
class Registry:
    """Things of one kind by name. Nothing is imported before it is asked for.

    Attributes:
        kind: what they are, for messages: `encoder`.
        built_in: import path by name.
        group: the entry-point group in which packages announce more.
    """

    kind: str
    built_in: Mapping[str, str]
    group: str

    def paths(self) -> dict[str, str]:
        """Import path by name: built in, then announced; a built-in name cannot be taken."""
        return {**announced(self.group), **self.built_in}

    def load(self, name: str) -> Any:
        """What a name stands for.

        Args:
            name: registered, or an import path such as `my_file:MyEncoder`.

        Raises:
            CrosscaleError: when there is none of that name, or its module cannot be imported.
        """
        if is_import_path(name):
            return load_object(name)
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
