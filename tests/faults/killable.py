"""Commands run as processes of their own, to be killed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny_run import TINY

FORKER = Path(__file__).with_name("forker.py")
# Two epochs, so that there is a checkpoint to go on from.
PRETRAIN = [
    *("pretrain", "synthetic/crosscale", "--data", "store", "--save_every=1"),
    *(setting for setting in TINY if "epochs" not in setting),
    "--optimisation.epochs=2",
]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status (-9 when killed), and what it took and said."""

    status: int
    seconds: float
    changes: int
    said: str


class Commands:
    """Runs commands as processes of their own, without waiting for imports each time."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [sys.executable, str(FORKER)], stdin=-1, stdout=-1, text=True, env=environment
        )

    def __call__(
        self,
        *arguments: str | Path,
        folder: Path,
        seconds: float | None = None,
        change: int | None = None,
        send: int = signal.SIGKILL,
    ) -> Ended:
        """Run a command in a folder; `send` it a signal after some seconds, or kill it right before
        one of its changes to the file system."""
        request: dict[str, Any] = {
            "arguments": [str(word) for word in arguments],
            "folder": str(folder),
            "log": str(self.log),
            "seconds": seconds,
            "change": change,
            "signal": int(send),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return Ended(**json.loads(self.process.stdout.readline()))

    def well(self, *arguments: str | Path, folder: Path) -> Ended:
        """Run a command that must succeed."""
        ended = self(*arguments, folder=folder)
        assert ended.status == 0, ended.said
        return ended
