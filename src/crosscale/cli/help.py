"""The help of a command, written from its parser: what a user types, and no Python."""

import shutil
import textwrap
from argparse import SUPPRESS, Action
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

WORDS: dict[Any, str] = {int: "N", float: "X", str: "NAME", Path: "PATH", bool: "{true,false}"}
# of options whose type tells too little
SPECIAL = {"pattern": "REGEX", "socket": "HOST:PORT", "host": "ADDRESS"}
HELP = ("-h", "--help", "--help-all", "--help_all")
CHOSEN = ".name"  # ends the setting that chooses what a group has the settings of
_NAMED_GROUPS = 2  # with more groups of settings, the short help says only what each is
_NAMED = 8  # settings of a group that the short help names
_INDENT = 24


def width() -> int:
    """Columns to write help in: those of the terminal, within what reads well."""
    return min(max(shutil.get_terminal_size().columns, 60), 100)


def kebab(name: str) -> str:
    """An option as it is shown: `--shard-clips`."""
    return name.replace("_", "-")


def shown_option(action: Action) -> str:
    """An option as it is written: `--objective` in place of `--objective.name`."""
    return kebab(action.option_strings[0]).removesuffix(CHOSEN)


def value_word(action: Action) -> str:
    """What stands for an argument's value: PATH, N, NAME or the choices."""
    if not action.option_strings:
        word = str(action.dest).upper()
        return {"+": f"{word[:-1]}...", "*": f"[{word[:-1]}...]"}.get(str(action.nargs), word)
    if action.nargs == 0:
        return ""
    if is_file_of_settings(action):
        return "FILE"
    if action.dest.endswith(CHOSEN):
        return "NAME|FILE:CLASS"
    if isinstance(action.metavar, str) and action.metavar.isalpha():
        return action.metavar
    return SPECIAL.get(action.dest) or _word(kind_of(action))


def choices_of(action: Action) -> list[str]:
    """The values that an argument takes, if they are few."""
    return _choices(kind_of(action))


def is_file_of_settings(action: Action) -> bool:
    """Whether an option takes a file with all settings of its group."""
    return action.metavar == "CONFIG"


def command_help(
    parser: Any, often: Sequence[str] = (), rare: Sequence[str] = (), *, everything: bool
) -> str:
    """The help of one command.

    Args:
        parser: of the command.
        often: settings, by dotted name, that the short help explains too.
        rare: options that the short help only names, as it does with settings.
        everything: explain all of them.
    """
    named = {action.dest for action in parser._actions}
    groups = [
        (group.title, [one for one in group._group_actions if one.dest + CHOSEN not in named])
        for group in parser._action_groups
    ]
    settings = [
        one
        for _, actions in groups
        for one in actions
        if "." in one.dest or is_file_of_settings(one) or one.dest in rare
    ]
    sections = [f"usage: {_usage(parser)}", _paragraphs(parser.description or "")]
    used = [one for name in often for one in settings if one.dest == name]
    for title, actions in groups:
        shown = [one for one in actions if everything or one not in settings]
        if title == "options" and not everything:
            shown += used
        if shown:
            sections.append(table(title, ((_left(one), _right(one)) for one in shown)))
    if settings and not everything:
        rows = _names_by_group(groups)
        if rare:
            rows.append(("and", ", ".join(f"--{kebab(name)}" for name in rare)))
        sections.append(table(f"settings, which `{parser.prog} --help-all` explains", rows))
    return "\n\n".join(section for section in sections if section) + "\n"


def table(title: str, rows: Iterable[tuple[str, str]], indent: int = _INDENT) -> str:
    """Lines of a name and what it is, the latter in a column of its own.

    Args:
        title: what stands above them.
        rows: names and texts.
        indent: where the column begins.
    """
    lines = [f"{title}:"]
    for left, right in rows:
        filled = textwrap.wrap(right, width() - indent, break_on_hyphens=False)
        if len(left) + 4 > indent:
            lines.append(f"  {left}")
        else:
            lines.append(f"  {left:{indent - 2}}{filled.pop(0) if filled else ''}".rstrip())
        lines += [" " * indent + line for line in filled]
    return "\n".join(lines)


def _usage(parser: Any) -> str:
    """All positional and required arguments by name; the others are `[options]`."""
    words = [parser.prog, "[options]"]
    words += [value_word(one) for one in parser._actions if not one.option_strings]
    words += [_left(one) for one in parser._actions if one.option_strings and one.required]
    lead = len("usage: ") + len(parser.prog) + 1
    filled = textwrap.fill(
        " ".join(word.replace(" ", "\0") for word in words),
        width() - len("usage: "),
        subsequent_indent=" " * (lead - len("usage: ")),
        break_on_hyphens=False,
    )
    return filled.replace("\n", "\n" + " " * len("usage: ")).replace("\0", " ")


def _paragraphs(text: str) -> str:
    """Fills paragraphs, and keeps indented lines, examples to paste, as they are."""
    return "\n\n".join(
        part
        if part.startswith("    ")
        else textwrap.fill(" ".join(part.split()), width(), break_on_hyphens=False)
        for part in text.split("\n\n")
    )


def _left(action: Action) -> str:
    if not action.option_strings:
        return value_word(action)
    option = shown_option(action)
    if get_origin(kind_of(action)) in (dict, Mapping):
        return f"{option}.NAME VALUE"
    return f"{option} {value_word(action)}".rstrip()


def _right(action: Action) -> str:
    """What an argument is for, and its default as it would be typed."""
    if is_file_of_settings(action):
        return "a YAML file of these settings"
    text = " ".join((action.help or "").split())
    text = text.removesuffix(".") if ". " not in text else text
    if not action.option_strings:
        choices = ", ".join(choices_of(action))
        return f"{text}: {choices}" if choices else text
    if action.required:
        return f"{text.removesuffix('.')} (required)"
    default = "" if action.nargs == 0 else _typed(action.default)
    if not default:
        return text
    text = text.removesuffix(".")
    begin = f"{text[:-1]}; " if text.endswith(")") else f"{text} ("
    return f"{begin}default: {default})"


def _names_by_group(groups: Iterable[tuple[str, list[Action]]]) -> list[tuple[str, str]]:
    """Each group of settings in a row: what it is, and, where there are few groups, its names."""
    names: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for title, actions in groups:
        for one in actions:
            group, _, name = one.dest.partition(".")
            if name and not is_file_of_settings(one):
                deeper = f"{name.partition('.')[0]}.*" if "." in name else name
                titles.setdefault(group, str(title).removesuffix("."))
                names[group] = [*dict.fromkeys([*names.get(group, []), deeper])]
    few = len(names) <= _NAMED_GROUPS
    return [
        (f"--{kebab(group)}.*", titles[group] + (f": {_some(map(kebab, found))}" if few else ""))
        for group, found in names.items()
    ]


def _some(names: Iterable[str]) -> str:
    known = [*names]
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED + 1 else ""
    return ", ".join(known[: _NAMED if more else None]) + more


def _typed(value: Any) -> str:
    if value is None or value == SUPPRESS:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_typed(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_typed, value))}]"
    return str(value)


def kind_of(action: Action) -> Any:
    """The type of an argument's values; of an optional one, that of the value."""
    kind = getattr(action, "_typehint", None) or action.type
    if get_origin(kind) not in (Union, UnionType):
        return kind
    kinds = [one for one in get_args(kind) if one is not NoneType]
    return kinds[0] if len(kinds) == 1 else kind


def _choices(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [_typed(one) for one in get_args(kind)]
    if get_origin(kind) in (Union, UnionType):
        return [choice for one in get_args(kind) for choice in _choices(one)]
    return []


def _word(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return "|".join(dict.fromkeys(_word(one) for one in inner if one is not NoneType))
    if origin is Literal:
        choices = _choices(kind)
        return "{" + ",".join(choices) + "}" if choices[1:] else choices[0]
    if origin in (list, tuple):
        several = origin is list or Ellipsis in inner
        return f"[{_word(inner[0])},...]" if several else f"[{','.join(map(_word, inner))}]"
    return WORDS.get(kind, "VALUE")
