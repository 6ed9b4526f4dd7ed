"""What reading a hostile file might come to; imported by a process that is made for it."""

import os
import time

SLEEP = 600  # seconds


def sleep() -> None:
    time.sleep(SLEEP)


def eat() -> int:
    return len(bytearray(2**33))


def die() -> None:
    os._exit(3)


def fail() -> None:
    raise ValueError("odd\nthing")
