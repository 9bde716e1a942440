"""The WSGI application that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from web.bodies import with_length

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = with_length(get_wsgi_application())
