"""Pages of the admin about subscriptions that are no lists of rows."""
