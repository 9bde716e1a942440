"""The application that granian serves: Django in threads, and on the loop what goes on."""

from config.wsgi import application as wsgi
from web.bridge import Bridge

THREADS = 4  # a process

application = Bridge(wsgi, threads=THREADS)
