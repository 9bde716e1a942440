"""Amounts of money in minor units, whatever a currency's minor unit is."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

# ISO 4217's currencies whose minor unit is no hundredth, by how many digits follow the point.
DIGITS: Final[dict[str, int]] = dict.fromkeys(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
) | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)

LIMIT: Final = 2**31 - 1


def minor_units(amount: Decimal, currency: str) -> int:
    """9.99 GBP as 999, 980 JPY as 980, 2.5 KWD as 2500. Raises ValueError for what is no such whole number."""
    minor = amount.scaleb(DIGITS.get(currency, 2))
    if minor != minor.to_integral_value():
        raise ValueError(f"the amount is finer than {currency} can be")
    if not 0 <= minor <= LIMIT:
        raise ValueError("the amount is negative or too large")
    return int(minor)


def written(amount: Decimal, currency: str) -> str:
    """7.99 as `7.99 GBP`, 980.00 as `980 JPY`, 2.50 as `2.500 KWD`: no finer than it must be."""
    finest = next(places for places in range(28) if amount == round(amount, places))
    return f"{amount:.{max(finest, DIGITS.get(currency, 2))}f} {currency}"


def major_units(amount: int, currency: str) -> Decimal:
    """999 GBP as 9.99, 980 JPY as 980, 2500 KWD as 2.500."""
    return Decimal(amount).scaleb(-DIGITS.get(currency, 2))
