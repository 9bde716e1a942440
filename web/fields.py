"""Fields that take what JSON says exactly, and nothing that only looks like it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from kernel.values import INT32, SANE_YEARS, is_country, is_currency


class Instant(serializers.DateTimeField):
    """An RFC 3339 time with its offset, of a sane year; a naive one has no instant and is refused."""

    default_error_messages = {
        "naive": "must carry an offset, such as Z",
        "year": "must lie between the years 2000 and 2100",
    }

    def enforce_timezone(self, value: Any) -> Any:
        if value.tzinfo is None:
            self.fail("naive")
        try:
            value = super().enforce_timezone(value)
        except OverflowError:
            self.fail("year")
        if value.year not in SANE_YEARS:
            self.fail("year")
        return value

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.isascii() or "T" not in value.upper():
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")
        return super().to_internal_value(value.upper())  # t and z will do


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction: no text, no 9.0, no true."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class CatalogueId(WholeNumber):
    """A number by which the platform knows something: its int32."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=INT32, **options)


class Text(serializers.CharField):
    """A JSON text: a number is none, since it may have been rounded on its way."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Uuid(serializers.UUIDField):
    """A UUID as a text; Python would make one of any number."""

    default_error_messages = {"invalid": "Must be a valid UUID."}

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Truth(serializers.BooleanField):
    """true or false, and no number or word that may stand for either."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


def country_exists(text: str) -> None:
    if not is_country(text):
        raise serializers.ValidationError("must be an ISO 3166-1 alpha-2 code in upper case")


def currency_exists(text: str) -> None:
    if not is_currency(text):
        raise serializers.ValidationError("must be an ISO 4217 code in upper case")
