"""The ledger in the admin."""
