"""What we still owe the platform: rows in PostgreSQL, carried by Celery, never kept by it."""
