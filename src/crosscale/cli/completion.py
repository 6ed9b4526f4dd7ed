"""`crosscale completion`: what a shell offers after TAB."""

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import crosscale
from crosscale.cli import COMMANDS, GROUPS, parser_of
from crosscale.cli.help import HELP, choices_of, is_file_of_settings, kebab, kind_of, shown_option
from crosscale.utils.files import atomic_path

FILES = "files"  # the first line told to a shell where a path may stand, too
# Arguments whose values `crosscale list` shows, and those that may be a path instead.
LISTED = {
    "recipe": "recipes",
    "layout": "layouts",
    "source_format": "readers",
    **{f"{kind}.name": f"{kind}s" for kind in ("encoder", "objective", "source", "optimiser")},
    "schedule.name": "schedules",
}
MAY_BE_PATH = ("recipe", "layout", "head", "query", "data", "source_format")
# What a shell is given: words of the line up to the one to be completed go to the program.
SCRIPTS = {
    "bash": """_crosscale() {
    local line told=
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $told ]]; then told=$line; else COMPREPLY+=("$line"); fi
    done < <(crosscale __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ $told != files ]]; then
        compopt +o default 2>/dev/null
    elif (( ${#COMPREPLY[@]} )); then
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]#=}")
    fi
}
complete -o default -F _crosscale crosscale
""",
    "zsh": """#compdef crosscale
_crosscale() {
    local -a told
    told=("${(@f)$(crosscale __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compset -P '--*='
    (( $#told > 1 )) && compadd -- "${(@)told[2,-1]}"
    [[ ${told[1]} == files ]] && _files
}
compdef _crosscale crosscale
""",
}


def completion(shell: Literal["bash", "zsh"]) -> None:
    """Print a script that completes commands, options, names and paths after TAB.

        crosscale completion bash

    To have it always, put `source <(crosscale completion bash)` into ~/.bashrc, or the same with
    zsh into ~/.zshrc, below compinit. The first TAB behind a command takes some seconds, in which
    its options are noted in the user's cache.

    Args:
        shell: in which it will run.
    """
    print(SCRIPTS[shell], end="")


def complete(words: Sequence[str]) -> None:
    """Tell a shell how a word may go on: whether as a path, and in each line a word.

    Args:
        words: of the line behind `crosscale`, the last of them unfinished.
    """
    *before, begun = _taken_apart(words) or [""]
    may_be_path, known = _possible(before, begun)
    offered = [word for word in known if word.startswith(begun)]
    print("\n".join([FILES if may_be_path else "words", *offered]))


def _taken_apart(words: Sequence[str]) -> list[str]:
    """Without equals signs: bash gives `--out=a` as three words, zsh as one."""
    parts: list[str] = []
    for word in words:
        if word.startswith("--") and "=" in word:
            parts += word.split("=", 1)
        elif word != "=":
            parts.append(word)
    return [*parts, ""] if words[-1:] == ["="] else parts


def _possible(before: Sequence[str], begun: str) -> tuple[bool, Iterable[str]]:
    if not before:
        heads = dict.fromkeys(name.split()[0] for name in COMMANDS)
        return False, [*heads, "--version", "--help"]
    name = " ".join(before[: 2 if before[0] in GROUPS else 1])
    if name in GROUPS:
        return False, [command.split()[1] for command in COMMANDS if command.startswith(f"{name} ")]
    if name not in COMMANDS and not name.startswith("evaluate "):  # which takes any probe
        return False, []
    arguments = _arguments(name)
    options, positional, place = arguments["options"], arguments["positional"], 0
    value_of = None  # the option whose value the next word is
    for word in before[len(name.split()) :]:
        if value_of is not None:
            value_of = None
        elif word.startswith("-"):
            value_of = options.get(kebab(word))
        else:
            place += 1
    if value_of is None and begun.startswith("-"):
        return False, options
    if value_of is None and not positional:
        return False, []
    may_be_path, known = value_of or positional[min(place, len(positional) - 1)]
    return may_be_path, known


def _arguments(name: str) -> dict[str, Any]:
    """The options and positional arguments of a command, as noted when first asked for."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crosscale"
    noted, state = cache / "completion.json", _state()
    commands: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(noted.read_text(encoding="utf-8"))
        commands = found["commands"] if found["state"] == state else {}
    if name not in commands:
        commands[name] = _arguments_of(name)
        with contextlib.suppress(OSError), atomic_path(noted) as path:
            path.write_text(json.dumps({"state": state, "commands": commands}), encoding="utf-8")
    return commands[name]


def _state() -> list[Any]:
    """Changes when this package does, or when others are installed."""
    sources = Path(crosscale.__file__).parent.rglob("*.py")
    folders = [Path(folder) for folder in sys.path if folder]
    newest = max(path.stat().st_mtime for path in [*sources, *folders] if path.exists())
    return [crosscale.__version__, str(crosscale.__file__), newest]


def _arguments_of(name: str) -> dict[str, Any]:
    """Each argument's values: whether a path may stand there, and words; None of a switch."""
    actions = parser_of(name, ["--help"])._actions
    named = {action.dest for action in actions}
    options: dict[str, Any] = dict.fromkeys(word for word in HELP if "_" not in word)
    for action in actions:
        if action.option_strings and f"{action.dest}.name" not in named:
            options[shown_option(action)] = None if action.nargs == 0 else _values(action)
    positional = [_values(action) for action in actions if not action.option_strings]
    return {"options": options, "positional": positional}


def _values(action: Any) -> tuple[bool, list[str]]:
    from crosscale.cli.listing import entries
    from crosscale.models.hub import built_in

    kind = kind_of(action)
    words = choices_of(action) or (["true", "false"] if kind is bool else [])
    if action.dest in LISTED:
        words = [entry.name for entry in entries(LISTED[action.dest])]
    elif action.dest == "device":
        words = [*dict.fromkeys([str(action.default), "cpu", "cuda"])]
    elif action.dest == "head" and kind is str:
        words = ["linear", "knn"]
    elif action.dest in ("run", "runs"):
        words = built_in()
    is_path = kind is Path or is_file_of_settings(action) or action.dest in MAY_BE_PATH
    return is_path, words
