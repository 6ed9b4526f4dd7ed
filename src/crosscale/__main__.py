"""`crosscale`, and `python -m crosscale`: the command line, which can be stopped from the start."""

import sys


def main() -> int:
    """Run the command that the process was given; returns the exit status."""
    try:
        from crosscale.cli import main as run
    except KeyboardInterrupt:  # before there is anything that answers a signal
        print("crosscale: stopped", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
