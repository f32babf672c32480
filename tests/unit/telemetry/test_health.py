"""What a process says about itself: alive as long as its loops go round, ready when nothing is in the way."""

from telemetry.health import Health, Verdict

FINE = Verdict(True)


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def aged(health: Health, clock: Clock, seconds: float, *, is_pulsing: bool = True) -> None:
    """Let time go by, with the event loop going round or not."""
    clock.now_s += seconds
    if is_pulsing:
        health.pulse()


def test_a_process_that_starts_is_alive_and_not_ready() -> None:
    health = Health()
    assert health.live()
    assert health.ready() == Verdict(False, "starting")


def test_a_blocked_event_loop_is_told_and_the_process_is_not_ready_either() -> None:
    clock = Clock()
    health = Health(stall_limit_s=20, now=clock)
    health.beat(FINE)
    assert health.ready()
    aged(health, clock, 21, is_pulsing=False)
    assert health.live() == Verdict(False, "the event loop has been blocked for 21 s")
    assert health.ready() == health.live()
    assert health.silent_s == 21


def test_a_loop_that_hangs_is_named_although_the_event_loop_goes_round() -> None:
    clock = Clock()
    health = Health(stall_limit_s=20, now=clock)
    health.beat(FINE, "stream 0")
    health.beat(FINE, "stream 1")
    aged(health, clock, 15)
    health.beat(FINE, "stream 1")
    aged(health, clock, 10)
    assert health.live() == Verdict(False, "stream 0 has not come round for 25 s")


def test_loops_may_end_while_the_process_drains_but_the_event_loop_must_go_round() -> None:
    clock = Clock()
    health = Health(stall_limit_s=20, now=clock)
    health.beat(FINE)
    health.drain()
    aged(health, clock, 40)
    assert health.live()
    assert health.ready() == Verdict(False, "draining")
    aged(health, clock, 21, is_pulsing=False)
    assert not health.live()


def test_a_failure_is_the_last_word() -> None:
    health = Health()
    health.beat(FINE)
    health.fail("out of the group")
    assert health.live() == health.ready() == Verdict(False, "out of the group")
