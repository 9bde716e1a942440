"""A stand-in for the MassiveMusic platform, for everybody who has no keys to the real one.

It is written from the platform's documentation and knows nothing of the rest of this
repository: a Django project of its own with a database of its own, reached over HTTP alone.
What it accepts it writes into a journal that only grows, and by that journal our tests judge.

    python -m sandbox prepare     tables, keys, shelves
    python -m sandbox serve       http://127.0.0.1:8001

Where the documentation is silent we had to choose; those places say "our choice", and every
choice worth trying the other way round is a setting (`sandbox/settings.py`).
"""
