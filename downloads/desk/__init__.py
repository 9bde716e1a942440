"""The shop's desks in the admin."""
