"""Playlists, from rules without a database to the pages that editors have."""
