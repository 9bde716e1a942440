"""What billing said, folded: one truth for all orders, in snapshots and in changes, and a past that stays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.values import rfc3339
from subscriptions.folding import Fact, NothingKnown, fold
from subscriptions.timeline import Period

START = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def change(number: int, *, hours: float, **news: Any) -> Fact:
    """An event that tells only what has changed."""
    return Fact(event_id=f"evt_{number}", occurred_at=at(hours), data=news)


def fact(number: int, *, hours: float, **changes: Any) -> Fact:
    """An event that tells everything."""
    data = {
        "account_id": "a", "plan_code": "premium", "status": "active", "currency": "GBP", "recurring_fee": number,
        "country": "GB", "activated_at": rfc3339(START), "current_period_start": rfc3339(START),
        "expires_at": rfc3339(START + MONTH), "cancel_at_period_end": False,
    } | changes  # fmt: skip
    return change(number, hours=hours, **data)


def spans(periods: Sequence[Period]) -> list[tuple[float, float, str]]:
    """From hour to hour, in which state."""
    hour = timedelta(hours=1)
    return [((p.starts_at - START) / hour, (p.ends_at - START) / hour, p.terms.status) for p in periods]


# --- orders --------------------------------------------------------------------------------------------------

SNAPSHOTS = [
    fact(1, hours=0),
    fact(2, hours=1, cancel_at_period_end=True),
    fact(3, hours=2),
    fact(4, hours=3, status="past_due"),
    fact(5, hours=4, account_id="b"),
    fact(6, hours=9, plan_code="standard"),
    fact(7, hours=10, status="cancelled"),
]
CHANGES = [
    fact(1, hours=0),
    change(2, hours=1, cancel_at_period_end=True),
    change(3, hours=2, cancel_at_period_end=False),
    change(4, hours=3, status="past_due", grace_until=rfc3339(at(8))),
    change(5, hours=4, account_id="b", status="refunded"),
    change(6, hours=9, status="active", plan_code="standard", recurring_fee=7),
    change(7, hours=10, status="cancelled"),
]
# Two in one second: the ids decide.
TIES = [*SNAPSHOTS[:5], fact(6, hours=9, plan_code="standard"), fact(7, hours=9, status="cancelled")]
EARLY_TIES = [SNAPSHOTS[0], fact(2, hours=1, cancel_at_period_end=True), fact(3, hours=1), *SNAPSHOTS[3:]]


@pytest.mark.parametrize(
    ("seven", "history"),
    [
        (SNAPSHOTS, [(0, 1, "ACTIVE"), (1, 2, "CANCELLING"), (2, 3, "ACTIVE"), (3, 9, "GRACE"), (9, 10, "ACTIVE")]),
        (CHANGES, [(0, 1, "ACTIVE"), (1, 2, "CANCELLING"), (2, 3, "ACTIVE"), (3, 8, "GRACE"), (9, 10, "ACTIVE")]),
        (TIES, [(0, 1, "ACTIVE"), (1, 2, "CANCELLING"), (2, 3, "ACTIVE"), (3, 9, "GRACE")]),
        (EARLY_TIES, [(0, 1, "ACTIVE"), (1, 3, "ACTIVE"), (3, 9, "GRACE"), (9, 10, "ACTIVE")]),
    ],
    ids=["snapshots", "changes", "ties", "early ties"],
)  # fmt: skip
def test_all_orders_of_seven_events_with_repeats_end_alike(seven: list[Fact], history: Any) -> None:
    outcomes = {fold([*order, *order[::3]]) for order in itertools.permutations(seven)}  # 5,040 orders, 3 repeats

    (outcome,) = outcomes
    assert (outcome.account_id, outcome.recurring_fee, outcome.status) == ("a", 7, "EXPIRED")
    assert spans(outcome.periods) == history


# --- states and events -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("news", "status", "hours_left"),
    [
        ({}, "ACTIVE", 720),
        ({"trial_ends_at": rfc3339(START + timedelta(days=7))}, "TRIALING", 720),
        ({"cancel_at_period_end": True}, "CANCELLING", 720),
        ({"status": "past_due"}, "GRACE", 720),
        ({"status": "past_due", "grace_until": rfc3339(at(100))}, "GRACE", 100),
        ({"status": "past_due", "grace_until": rfc3339(at(900))}, "GRACE", 900),
        ({"status": "on_hold"}, "ON_HOLD", 5),
        ({"status": "paused"}, "PAUSED", 720),
        ({"status": "cancelled", "cancel_at_period_end": True}, "CANCELLING", 720),
        ({"status": "cancelled"}, "EXPIRED", 5),
        ({"status": "expired"}, "EXPIRED", 5),
        ({"status": "active", "revokes": True}, "EXPIRED", 5),
        ({"status": "refunded"}, "REFUNDED", 5),
        ({"recurring_fee": 0}, "ACTIVE", 720),
    ],
)
def test_each_word_of_billings_has_its_meaning(news: dict[str, Any], status: str, hours_left: int) -> None:
    folded = fold([fact(1, hours=5, **news)])

    assert folded.status == status
    assert folded.entitled_from == START
    assert folded.entitled_until == at(hours_left)
    assert folded.expires_at >= folded.entitled_until


STATES: dict[str, dict[str, Any]] = {
    "TRIALING": {"trial_ends_at": rfc3339(at(200))},
    "ACTIVE": {},
    "GRACE": {"status": "past_due", "grace_until": rfc3339(at(500))},
    "ON_HOLD": {"status": "on_hold"},
    "PAUSED": {"status": "paused"},
    "CANCELLING": {"cancel_at_period_end": True},
    "EXPIRED": {"status": "expired"},
    "REFUNDED": {"status": "refunded"},
}
RENEWED = {"status": "active", "cancel_at_period_end": False, "trial_ends_at": None}
# What is told at hour 100, the state it leads to from every other one, and until when the right then runs.
EVENTS: dict[str, tuple[dict[str, Any], str, float]] = {
    "renewed": (RENEWED | {"current_period_start": rfc3339(at(100)), "expires_at": rfc3339(at(820))}, "ACTIVE", 820),
    "upgraded": (RENEWED | {"plan_code": "family"}, "ACTIVE", 720),
    "payment failed": ({"status": "past_due", "grace_until": rfc3339(at(300))}, "GRACE", 300),
    "put on hold": ({"status": "on_hold"}, "ON_HOLD", 100),
    "recovered": (RENEWED, "ACTIVE", 720),
    "paused": ({"status": "paused"}, "PAUSED", 720),
    "resumed": (RENEWED, "ACTIVE", 720),
    "cancelled at the end": ({"status": "cancelled", "cancel_at_period_end": True}, "CANCELLING", 720),
    "uncancelled": (RENEWED, "ACTIVE", 720),
    "cancelled now": ({"status": "cancelled", "cancel_at_period_end": False}, "EXPIRED", 100),
    "expired": ({"status": "expired"}, "EXPIRED", 100),
    "refunded": ({"status": "refunded"}, "REFUNDED", 100),
    "revoked": ({"revokes": True}, "EXPIRED", 100),
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(state: str, event: str) -> None:
    news, status, right_until = EVENTS[event]
    before = fact(1, hours=50, **STATES[state])
    assert fold([before]).status == state

    folded = fold([before, change(2, hours=100, **news)])

    refunded = state == "REFUNDED" and event == "revoked"  # the word still stands
    assert folded.status == ("REFUNDED" if refunded else status)
    without_a_right = state in {"ON_HOLD", "EXPIRED", "REFUNDED"}
    assert folded.entitled_until == at(50 if without_a_right and right_until == 100 else right_until)
    held = [(start, end) for start, end, _ in spans(folded.periods)]
    if without_a_right:  # the time in between stays without
        assert all(end <= 50 or start >= 100 for start, end in held)
    else:
        assert held[0][0] == 0
        assert all(here[1] == there[0] for here, there in itertools.pairwise(held))


# --- renewals, plans, transfers ----------------------------------------------------------------------------------


def test_a_renewal_told_ahead_keeps_what_was_paid_before() -> None:
    ahead = change(2, hours=700, current_period_start=rfc3339(at(720)), expires_at=rfc3339(at(1440)))

    assert spans(fold([fact(1, hours=0), ahead]).periods) == [(0, 1440, "ACTIVE")]


def test_a_downgrade_told_ahead_counts_from_the_next_period() -> None:
    ahead = change(
        2, hours=100, plan_code="standard", current_period_start=rfc3339(at(720)), expires_at=rfc3339(at(1440))
    )
    periods = fold([fact(1, hours=0), ahead]).periods

    assert [(period.terms.plan, period.starts_at) for period in periods] == [("premium", at(0)), ("standard", at(720))]


def test_an_upgrade_counts_from_when_it_was_told() -> None:
    periods = fold([fact(1, hours=0), change(2, hours=100, plan_code="family")]).periods

    assert [(period.terms.plan, period.starts_at) for period in periods] == [("premium", at(0)), ("family", at(100))]


def test_a_renewal_that_came_late_leaves_no_gap() -> None:
    late = change(2, hours=725, current_period_start=rfc3339(at(720)), expires_at=rfc3339(at(1440)))

    assert spans(fold([fact(1, hours=0), late]).periods) == [(0, 1440, "ACTIVE")]


def test_a_gap_that_was_not_paid_stays_one() -> None:
    again = change(2, hours=900, current_period_start=rfc3339(at(900)), expires_at=rfc3339(at(1620)))

    folded = fold([fact(1, hours=0), again])
    assert spans(folded.periods) == [(0, 720, "ACTIVE"), (900, 1620, "ACTIVE")]
    assert (folded.entitled_from, folded.entitled_until) == (at(900), at(1620))


def test_a_trial_becomes_a_paid_period() -> None:
    trial = fact(1, hours=0, trial_ends_at=rfc3339(at(168)), expires_at=rfc3339(at(168)), recurring_fee=0)
    paid = change(
        2, hours=168, plan_code="premium", recurring_fee=999, trial_ends_at=None,
        current_period_start=rfc3339(at(168)), expires_at=rfc3339(at(888)),
    )  # fmt: skip

    assert spans(fold([trial, paid]).periods) == [(0, 168, "TRIALING"), (168, 888, "ACTIVE")]


def test_a_transfer_hands_the_right_over() -> None:
    facts = [
        fact(1, hours=0),
        change(2, hours=100, transferred_to="b"),
        change(3, hours=200, account_id="a", status="refunded"),  # not theirs any more
        change(4, hours=300, account_id="b", cancel_at_period_end=True),
    ]
    folded = fold(facts)

    assert (folded.account_id, folded.status) == ("b", "CANCELLING")
    assert [(p.terms.account_id, p.starts_at, p.ends_at) for p in folded.periods] == [
        ("a", at(0), at(100)), ("b", at(100), at(300)), ("b", at(300), at(720)),
    ]  # fmt: skip


def test_a_product_stands_for_a_plan() -> None:
    assert fold([fact(1, hours=0, plan_code=None, product="stripe:price_1")]).plan == "stripe:price_1"


def test_one_older_than_our_acquaintance_began_with_the_first_period_we_hear_of() -> None:
    first, second = rfc3339(START + MONTH), rfc3339(START + 2 * MONTH)
    renewals = [
        fact(1, hours=720, activated_at=None, current_period_start=first, expires_at=second),
        fact(2, hours=1440, activated_at=None, current_period_start=second, expires_at=rfc3339(START + 3 * MONTH)),
    ]

    assert fold(renewals).activated_at == START + MONTH
    assert fold([*renewals, fact(3, hours=0)]).activated_at == START


def test_changes_before_anything_is_known_wait_for_it() -> None:
    early = change(1, hours=-1, status="paused")
    with pytest.raises(NothingKnown):
        fold([early])
    assert fold([early, fact(2, hours=0)]).status == "ACTIVE"


# --- any history -------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["active", "past_due", "on_hold", "paused", "cancelled", "expired", "refunded"])
HOURS = st.integers(0, 200)


@st.composite
def histories(draw: Any) -> list[Fact]:
    facts = []
    for number in range(draw(st.integers(1, 6))):
        start = draw(HOURS)
        facts.append(
            fact(
                number, hours=draw(HOURS), status=draw(WORDS), cancel_at_period_end=draw(st.booleans()),
                current_period_start=rfc3339(at(start)), expires_at=rfc3339(at(start + draw(st.integers(1, 100)))),
            )
        )  # fmt: skip
    return sorted(facts, key=lambda each: (each.occurred_at, each.event_id))


def entitled(periods: Sequence[Period], moment: datetime) -> bool:
    return any(period.starts_at <= moment < period.ends_at for period in periods)


@given(histories())
def test_periods_have_length_and_never_overlap(facts: list[Fact]) -> None:
    periods = fold(facts).periods

    assert all(period.starts_at < period.ends_at for period in periods)
    assert all(here.ends_at <= there.starts_at for here, there in itertools.pairwise(periods))


@given(histories(), HOURS)
def test_no_news_takes_away_what_was_told_before_it(facts: list[Fact], hour: int) -> None:
    for length in range(1, len(facts)):
        known = facts[:length]
        if at(hour) < known[-1].occurred_at and entitled(fold(known).periods, at(hour)):
            assert entitled(fold(facts).periods, at(hour))


@given(histories())
def test_at_the_last_news_the_right_is_what_it_says(facts: list[Fact]) -> None:
    last, folded = facts[-1], fold(facts)
    start, end = at(0), folded.entitled_until
    starts = datetime.fromisoformat(last.data["current_period_start"])

    if starts <= last.occurred_at:
        assert entitled(folded.periods, last.occurred_at) == (last.occurred_at < end and starts < end)
    assert start <= end
