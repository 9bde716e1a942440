"""Playlists: listeners' own, and those that editors curate (Streaming guide §3)."""
