"""The play ledger: every play kept once, reported once, and its fate known."""
