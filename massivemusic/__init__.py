"""The MassiveMusic platform (formerly 7digital) as typed calls: the only place that speaks its camelCase."""

__version__ = "0.1.0"
