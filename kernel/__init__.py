"""Words every package shares: how a use case refuses, countries, calendar months. No Django, no requests."""
