"""The Lua scripts beside this file: each with its text, its SHA-1 and the number of its keys."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).with_name("lua")
_PRELUDE = (_FOLDER / "prelude.lua").read_bytes()


@dataclass(frozen=True, slots=True)
class Script:
    """One script. `keys` counts its keys; the first is the epoch marker, but for recents and the edge."""

    name: str
    keys: int
    text: bytes
    sha: bytes
    by_sha: tuple[bytes, ...]
    """The command that runs the loaded script; its keys follow, and then its arguments."""
    by_text: tuple[bytes, ...]
    """The same, for a server that may not have it loaded."""


def _load(name: str, *, keys: int) -> Script:
    text = _PRELUDE + b"\n" + (_FOLDER / f"{name}.lua").read_bytes()
    sha = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
    number = b"%d" % keys
    by_sha, by_text = (b"EVALSHA", sha, number), (b"EVAL", text, number)
    return Script(name=name, keys=keys, text=text, sha=sha, by_sha=by_sha, by_text=by_text)


EPOCH_RENEW = _load("epoch_renew", keys=1)
EPOCH_READ = _load("epoch_read", keys=1)
CONTEXT_LOAD = _load("context_load", keys=3)
CONTEXT_STORE = _load("context_store", keys=5)
TIMERS_DUE = _load("timers_due", keys=2)
TIMERS_REMOVE = _load("timers_remove", keys=2)
TIMERS_ARM = _load("timers_arm", keys=2)
ARMED_MARK = _load("armed_mark", keys=2)
ARMED_READ = _load("armed_read", keys=2)
STEP_CLAIM = _load("step_claim", keys=2)
STEP_RENEW = _load("step_renew", keys=2)
STEP_COMPLETE = _load("step_complete", keys=2)
STEP_RELEASE = _load("step_release", keys=2)
STEP_FORGET = _load("step_forget", keys=2)
FEED_APPEND = _load("feed_append", keys=2)
RECENTS_PUT = _load("recents_put", keys=2)
RECENTS_READ = _load("recents_read", keys=2)
EDGE_ARRIVE = _load("edge_arrive", keys=4)
EDGE_RUN_BEGIN = _load("edge_run_begin", keys=1)
EDGE_REMEMBER = _load("edge_remember", keys=1)
EDGE_NOTE = _load("edge_note", keys=1)
EDGE_WRITES = _load("edge_writes", keys=1)
EDGE_FORGET = _load("edge_forget", keys=1)
EDGE_PLACE = _load("edge_place", keys=1)

ALL_SCRIPTS: tuple[Script, ...] = (
    EPOCH_RENEW,
    EPOCH_READ,
    CONTEXT_LOAD,
    CONTEXT_STORE,
    TIMERS_DUE,
    TIMERS_REMOVE,
    TIMERS_ARM,
    ARMED_MARK,
    ARMED_READ,
    STEP_CLAIM,
    STEP_RENEW,
    STEP_COMPLETE,
    STEP_RELEASE,
    STEP_FORGET,
    FEED_APPEND,
    RECENTS_PUT,
    RECENTS_READ,
    EDGE_ARRIVE,
    EDGE_RUN_BEGIN,
    EDGE_REMEMBER,
    EDGE_NOTE,
    EDGE_WRITES,
    EDGE_FORGET,
    EDGE_PLACE,
)
