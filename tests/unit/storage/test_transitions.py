"""The states of jobs and deliveries, walked at random."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.messages import JobState
from bot.storage.tables import DeliveryState
from bot.storage.transitions import IllegalTransition, check_delivery, check_job

ENDS = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


@given(st.lists(st.sampled_from(JobState)))
def test_a_job_ends_once_and_is_done_only_after_it_ran(wanted: list[JobState]) -> None:
    life = [JobState.ACCEPTED]
    for state in wanted:
        try:
            check_job(1, life[-1], state)
        except IllegalTransition:
            continue
        life.append(state)
    assert sum(state in ENDS for state in life) <= 1
    assert not ENDS & set(life[:-1])
    if life[-1] is JobState.DONE:
        assert life[-2] is JobState.RUNNING


@pytest.mark.parametrize("ended", [DeliveryState.SENT, DeliveryState.FAILED])
@pytest.mark.parametrize("wanted", list(DeliveryState))
def test_a_delivery_ends_once(ended: DeliveryState, wanted: DeliveryState) -> None:
    with pytest.raises(IllegalTransition):
        check_delivery(1, ended, wanted)
