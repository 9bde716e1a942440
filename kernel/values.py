"""Small values with rules of their own: countries, instants, calendar months."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from kernel.errors import InvalidParameter

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
INT32: Final = 2**31 - 1  # no number of the platform's is larger, but for the versions of events
SANE_YEARS: Final = range(2000, 2101)  # of anything that happened to a music service, or will

# ISO 3166-1 alpha-2, officially assigned codes, as of 2026.
COUNTRIES: Final[frozenset[str]] = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()
)

CURRENCY = re.compile(r"\A[A-Z]{3}\Z")


def is_country(text: object) -> bool:
    """Whether `text` is an upper-case ISO 3166-1 alpha-2 code."""
    return isinstance(text, str) and text in COUNTRIES


def check_country(text: str) -> str:
    """The same text. Raises InvalidParameter where it is no country's code."""
    if not is_country(text):
        raise InvalidParameter("must be an ISO 3166-1 alpha-2 code in upper case", field="country")
    return text


def is_currency(text: object) -> bool:
    """Whether `text` has the shape of an ISO 4217 code."""
    return isinstance(text, str) and CURRENCY.match(text) is not None


def add_months(start: datetime, months: int) -> datetime:
    """The same day and time `months` later, on the month's last day where that day does not exist.

    Always count from the billing anchor: 31 January plus two months is 31 March, while one month
    added twice would end on the 28th.
    """
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=min(start.day, last))


def midnight(day: date) -> datetime:
    """The instant at which a day of UTC begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


def rfc3339(instant: datetime) -> str:
    """`2026-11-21T12:00:00Z`: UTC, microseconds only when there are any. Raises ValueError when naive."""
    if instant.tzinfo is None:
        raise ValueError("a naive time has no instant")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def unix_instant(count: int, *, unit: timedelta) -> datetime:
    """So many units after the beginning of 1970, in UTC. Raises ValueError outside SANE_YEARS."""
    try:
        moment = EPOCH + count * unit
    except OverflowError:
        moment = EPOCH
    if moment.year not in SANE_YEARS:
        raise ValueError("must be a time of the years 2000 to 2100")
    return moment
