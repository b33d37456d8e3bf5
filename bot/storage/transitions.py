"""Which state of a job or of a delivery may follow which; knows no table row and no time."""

from __future__ import annotations

from collections.abc import Mapping

from bot.chat.messages import JobState
from bot.storage.tables import DeliveryState

# The reasons of whatever ended as its content was erased: its person asked for that, or it was kept for long enough.
FORGOTTEN, EXPIRED = "forgotten", "expired"
ERASED = frozenset({FORGOTTEN, EXPIRED})

_JOB: Mapping[JobState, frozenset[JobState]] = {
    # FAILED before it ran: the queue was full. ACCEPTED again: the process that ran it is gone.
    JobState.ACCEPTED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.ACCEPTED}),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
_DELIVERY: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.PENDING}),
    DeliveryState.SENT: frozenset(),
    DeliveryState.FAILED: frozenset(),
}


class IllegalTransition(RuntimeError):
    """A mistake in the program: a job or delivery was told to do what its state does not allow."""


def check_job(job_id: int, old: JobState, new: JobState) -> None:
    """Raise IllegalTransition unless a job may go from the old state to the new one."""
    if new not in _JOB[old]:
        raise IllegalTransition(f"job {job_id} is {old} and cannot become {new}")


def check_delivery(message_id: int, old: DeliveryState, new: DeliveryState) -> None:
    """Raise IllegalTransition unless a delivery may go from the old state to the new one."""
    if new not in _DELIVERY[old]:
        raise IllegalTransition(f"the delivery of message {message_id} is {old} and cannot become {new}")
