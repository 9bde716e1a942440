"""The mirror of the platform's catalogue: releases, tracks, artists, and where and when each may be heard."""
