"""The room where editors make curated playlists."""
