"""The mirror for staff: its shelves, and the events that fill them. Nothing here writes the mirror."""

from catalogue.admin import events, shelves

__all__ = ["events", "shelves"]
