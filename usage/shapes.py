"""What a device is told of the plays it reported, of subscribers or of clips."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Verdicts(serializers.Serializer[Any]):
    """One verdict per play, by its index; those not named were accepted or are duplicates."""

    class Rejected(serializers.Serializer[Any]):
        index = serializers.IntegerField()
        play_id = serializers.CharField(allow_null=True)
        code = serializers.CharField()
        detail = serializers.CharField()

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = Rejected(many=True)
