#!/usr/bin/env python
"""Django's command line. Where no database URL is set, the embedded servers run as long as the command does."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from config.engines import running_for

    try:
        with running_for(sys.argv[1:]):
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"tonearm: {error}")


if __name__ == "__main__":
    main()
