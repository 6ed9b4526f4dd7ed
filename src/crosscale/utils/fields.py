"""Fields of this package's dataclasses, read from the text of modules that are not run.

Fields are options, and those of a network or a classifier stand in its own file, which imports
PyTorch or scikit-learn: seconds that a wrong option and the help should not wait for.
"""

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def fields_of(path: str) -> type[Any] | None:
    """A dataclass with the docstring and fields of one, and of those that it derives from.

    Of its module only what the fields name is run.

    Args:
        path: `package.module:Name`.

    Returns:
        None where the text has no dataclass of that name.
    """
    module, _, name = path.partition(":")
    return _Text(module).fields(name)


def settings_fields(path: str) -> type[Any] | None:
    """As `fields_of`, of the dataclass that a class has as its `Settings`.

    Args:
        path: `package.module:Name` of the class.
    """
    module, _, name = path.partition(":")
    text = _Text(module)
    found = text.defined.get(name)
    for line in found.body if isinstance(found, ast.ClassDef) else []:
        if "Settings" in _names(line) and isinstance(line, ast.Assign):
            return text.fields(line.value.id) if isinstance(line.value, ast.Name) else None
    return None


class _Text:
    """A module as it is written."""

    def __init__(self, module: str) -> None:
        spec = find_spec(module)
        assert spec is not None
        self.file = str(spec.origin)
        lines = ast.parse(Path(self.file).read_bytes()).body
        self.defined = {name: line for line in lines for name in _names(line)}

    def fields(self, name: str) -> type[Any] | None:
        """A dataclass of the module, or one that it imports: see `fields_of`."""
        found = self.defined.get(name)
        if isinstance(found, ast.ImportFrom) and (found.module or "").startswith("crosscale."):
            return _Text(str(found.module)).fields(name)
        if not isinstance(found, ast.ClassDef) or not _is_dataclass(found):
            return None
        bases = [base.id for base in found.bases if isinstance(base, ast.Name)]
        known = {base: fields for base in bases if (fields := self.fields(base))}
        found.bases = [ast.Name(base, ast.Load()) for base in known]
        docstring, *lines = found.body
        found.body = [docstring, *(line for line in lines if isinstance(line, ast.AnnAssign))]
        scope: dict[str, Any] = {"__name__": __name__, **known}  # made here, not there
        self._run(found, scope)
        return scope[name]

    def _run(self, line: ast.stmt, scope: dict[str, Any]) -> None:
        """Run a statement, after those of the module that it names."""
        names = [each for each in ast.walk(line) if isinstance(each, ast.Name)]
        for name in {each.id for each in names if isinstance(each.ctx, ast.Load)}:
            if name in self.defined and name not in scope:
                self._run(self.defined[name], scope)
        code = ast.fix_missing_locations(ast.Module([line], []))
        exec(compile(code, self.file, "exec"), scope)


def _names(line: ast.stmt) -> list[str]:
    """What a statement gives a name to."""
    if isinstance(line, ast.ClassDef | ast.FunctionDef):
        return [line.name]
    if isinstance(line, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in line.names]
    if isinstance(line, ast.Assign):
        return [each.id for each in line.targets if isinstance(each, ast.Name)]
    return []


def _is_dataclass(found: ast.ClassDef) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == "dataclass"
        for decorator in found.decorator_list
        for each in ast.walk(decorator)
    )
