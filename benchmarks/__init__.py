"""Measures the hot paths against ceilings taken in the same run. `make bench`."""
