"""The errors that a user can mend; the command line prints them as one line."""


class CrosscaleError(Exception):
    """Something in the input, the settings or the surroundings is wrong.

    The message names the file, the place and the remedy, in one short line.
    """


class BadClip(CrosscaleError):
    """One recording cannot be used; the message says where and why."""


class BadCheckpoint(CrosscaleError):
    """A checkpoint does not fit; the message names every missing and unexpected key."""
