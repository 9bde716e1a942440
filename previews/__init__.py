"""Preview clips, and the report of each that was played: never mixed with the plays of subscribers."""
