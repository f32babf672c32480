"""Start a program so that it ends with its parent: run as a script, it becomes the program it is given."""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PARENT_GONE = 70


def main(arguments: list[str]) -> None:
    """Take `signal parent uid gid program arguments…`; uid -1 keeps the user.

    The user changes first: a change of user clears the signal of the parent's death.
    """
    death_signal, parent, uid, gid = (int(word) for word in arguments[:4])
    program = arguments[4:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.umask(0o077)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before the line above
        sys.exit(PARENT_GONE)
    os.execv(program[0], program)  # noqa: S606  becoming that program is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
