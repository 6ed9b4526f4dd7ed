"""Finds calls in Python source that would run what a file or a request says."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

UNPICKLERS = frozenset({"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal"})
RUNNERS = frozenset({"eval", "exec", "compile", "__import__"})
SHELLS = frozenset({"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"})
LOADS_OF_PICKLES = frozenset({"pandas.read_pickle", "joblib.load"})
SAFE_YAML = frozenset(
    f"yaml.{kind}" for kind in ("SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader")
)
UNSAFE_YAML = frozenset({"yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all"})
YAML_LOADS = frozenset({"yaml.load", "yaml.load_all"})
UNPACKERS = ("extractall", "unpack_archive", ".extract")  # a plain `extract` is no archive's


@dataclass(frozen=True)
class Danger:
    """A line of source, and what is dangerous in it."""

    line: int
    what: str


def dangers(source: str) -> list[Danger]:
    """Dangerous calls and base classes in a module, in the order of its lines.

    Names are followed through imports: `from pickle import load as read` and `read(file)` is found.
    """
    tree = ast.parse(source)
    known = _imported(tree)
    found = [danger for node in ast.walk(tree) for danger in _in_node(node, known)]
    return sorted(found, key=lambda danger: danger.line)


def _imported(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                name = one.asname or one.name.partition(".")[0]
                known[name] = one.name if one.asname else name
        elif isinstance(node, ast.ImportFrom):
            known |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return known


def _full(node: ast.AST, known: dict[str, str]) -> str:
    """The dotted name of an expression; of any other expression, what hangs on it."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_full(node.value, known)}.{node.attr}"
    return "?"


def _in_node(node: ast.AST, known: dict[str, str]) -> Iterator[Danger]:
    if isinstance(node, ast.ClassDef):
        for base in node.bases:
            if _full(base, known).endswith(".Unpickler"):
                yield Danger(node.lineno, "an unpickler")
    elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        name = _full(node, known)
        unpickles = name.partition(".")[0] in UNPICKLERS and name.endswith((".load", ".loads"))
        if unpickles or name in UNSAFE_YAML | SHELLS | LOADS_OF_PICKLES:
            yield Danger(node.lineno, name)
    elif isinstance(node, ast.Call):
        yield from _in_call(node, known)


def _in_call(call: ast.Call, known: dict[str, str]) -> Iterator[Danger]:
    name = _full(call.func, known)
    given = {word.arg: word.value for word in call.keywords}
    if name in RUNNERS or name.removeprefix("builtins.") in RUNNERS:
        yield Danger(call.lineno, f"{name} of text")
    elif name.partition(".")[0] in UNPICKLERS and name.endswith((".Unpickler", ".open")):
        yield Danger(call.lineno, name)
    elif name == "torch.load" and not _is(given.get("weights_only"), True):
        yield Danger(call.lineno, "torch.load of more than weights")
    elif name in YAML_LOADS and not _safe_yaml(call, given, known):
        yield Danger(call.lineno, f"{name} of any object")
    elif name.endswith(UNPACKERS) and not name.startswith("crosscale."):
        yield Danger(call.lineno, "an archive says where its files go")
    if not _is(given.get("allow_pickle"), False, absent=True):
        yield Danger(call.lineno, f"{name} with allow_pickle")
    if not _is(given.get("shell"), False, absent=True):
        yield Danger(call.lineno, f"{name} through a shell")


def _is(node: ast.AST | None, value: bool, *, absent: bool = False) -> bool:
    """Whether an argument is written out as this value, or may be absent and is."""
    if node is None:
        return absent
    return isinstance(node, ast.Constant) and node.value is value


def _safe_yaml(call: ast.Call, given: dict[str | None, ast.expr], known: dict[str, str]) -> bool:
    loader = given.get("Loader") or (call.args[1] if len(call.args) > 1 else None)
    return loader is not None and _full(loader, known) in SAFE_YAML
