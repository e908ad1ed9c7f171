"""The one exception for input that a user can mend."""

from __future__ import annotations


class UserError(Exception):
    """Bad input: one sentence that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with code 2.
    """
