"""When somebody had the right to stream, and on which terms: a row of periods that never overlap. Pure.

News of a subscription changes what comes after it. What lay before it stays as it was told then,
and where nothing had been told yet, the first news that covers it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

AT_MOST_APART: Final = timedelta(days=1)  # a renewal that begins so soon after the period before continues it


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What holds in a period: whose right it is, on which plan, in which state, for how much and where."""

    account_id: str
    plan: str
    status: str
    currency: str
    recurring_fee: int | None
    country: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """A right to stream in `[starts_at, ends_at)`, UTC."""

    starts_at: datetime
    ends_at: datetime
    terms: Terms


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """One event's say: at `told_at`, that a right begins and ends so. One that ends before it begins is none.

    `before` are the terms for what lies before the news and was never told of.
    """

    told_at: datetime
    starts_at: datetime
    ends_at: datetime
    terms: Terms
    before: Terms


def timeline(news: Iterable[News]) -> tuple[Period, ...]:
    """The periods after all news, in their order."""
    periods: list[Period] = []
    last: News | None = None
    for each in news:
        periods, last = after(periods, each, last), each
    return tuple(joined(periods))


def after(periods: Sequence[Period], news: News, last: News | None) -> list[Period]:
    """The periods once more has been told; `last` is what was told before it."""
    counts_from = max(news.starts_at, news.told_at)
    kept = [cut(period, counts_from) for period in periods if period.starts_at < counts_from]
    if kept and news.starts_at > news.told_at and counts_from - kept[-1].ends_at <= AT_MOST_APART:
        kept[-1] = replace(kept[-1], ends_at=counts_from)  # told ahead: it is drawn out to the new period
    if last is None or last.told_at < last.ends_at <= news.starts_at:  # the first, or a next one that came late
        untold, until = max([news.starts_at, *(period.ends_at for period in kept)]), min(news.told_at, news.ends_at)
        if untold < until:
            kept.append(Period(starts_at=untold, ends_at=until, terms=news.before))
    if counts_from < news.ends_at:
        kept.append(Period(starts_at=counts_from, ends_at=news.ends_at, terms=news.terms))
    return kept


def cut(period: Period, at: datetime) -> Period:
    """The period up to an instant."""
    return period if period.ends_at <= at else replace(period, ends_at=at)


def joined(periods: Iterable[Period]) -> Iterable[Period]:
    """Neighbours on the same terms as one."""
    last: Period | None = None
    for period in periods:
        if last is not None and last.ends_at == period.starts_at and last.terms == period.terms:
            last = replace(last, ends_at=period.ends_at)
            continue
        if last is not None:
            yield last
        last = period
    if last is not None:
        yield last


def last_stretch(periods: Sequence[Period]) -> tuple[datetime, datetime] | None:
    """From where to where the right runs on without a gap, the last time; None where there never was one."""
    if not periods:
        return None
    begins = periods[-1].starts_at
    for period in reversed(periods):
        if period.ends_at < begins:
            break
        begins = period.starts_at
    return begins, periods[-1].ends_at
