"""Cover images ("Images"), at the paths of the artwork CDN."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from sandbox import covers, files
from sandbox.models import Release


def cover(request: HttpRequest, first: str, second: str, third: str, name: str) -> HttpResponseBase:
    """GET /static/img/sleeveart/AA/BBB/CCC/DDDDDDDDDD_SIZE.jpg → a JPEG, for ever the same (an ETag says so).

    D is the release id in ten digits, of which AA, BBB and CCC repeat the first eight. 404 for
    any other path, an unknown release, a size that does not exist.
    """
    match = re.fullmatch(r"(\d{10})_(\d{2,3})", name)
    release = None
    if match and match[1].startswith(first + second + third) and int(match[2]) in covers.SIZES:
        release = Release.objects.select_related("artist").filter(pk=int(match[1]) % 2**31).first()
    if match is None or release is None or release.pk != int(match[1]) or len(first) != 2 or len(second) != 3:
        return HttpResponse("Not found", status=404, content_type="text/plain; charset=utf-8")
    path = covers.image(release, size=int(match[2]))
    image = files.delivery(request, path=path, content_type="image/jpeg")
    if request.headers.get("If-None-Match") == image.etag:
        response: HttpResponseBase = HttpResponse(status=304)
        response["ETag"] = image.etag
    else:
        response = image.respond(head=request.method == "HEAD")
    response["Cache-Control"] = "public, max-age=86400"
    response["Access-Control-Allow-Origin"] = "*"
    return response
