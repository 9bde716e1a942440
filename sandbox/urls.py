"""Every path of the stand-in: the platform's own, and the control door."""

from __future__ import annotations

from django.urls import path

from sandbox.gate import broken, by_method, not_found
from sandbox.views import control, images, offline, plays, status, streams, subscriptions, users

urlpatterns = [
    # api.7digital.com
    path("1.2/status", by_method(GET=status.show)),
    path("1.2/user/create", by_method(GET=users.create, POST=users.create)),
    path("1.2/user/unlimitedStreaming", by_method(GET=subscriptions.read, POST=subscriptions.submit)),
    path("1.2/user/unlimitedStreaming/offline", by_method(GET=offline.status, POST=offline.switch)),
    path("1.2/user/offlineclients", by_method(GET=offline.clients)),
    path("1.2/user/subscription/log", by_method(POST=plays.log)),
    # stream.svc.7digital.net
    path("stream/subscription", by_method(GET=streams.progressive, HEAD=streams.progressive)),
    path("stream/subscription.m3u8", by_method(GET=streams.playlist, HEAD=streams.playlist)),
    path("stream/segment/<int:number>.<str:kind>", by_method(GET=streams.segment)),
    path("offline/subscription", by_method(GET=offline.progressive, HEAD=offline.progressive)),
    path("offline/subscription.m3u8", by_method(GET=offline.playlist, HEAD=offline.playlist)),
    path("offline/segment/<int:number>.<str:kind>", by_method(GET=streams.segment)),
    # artwork-cdn.7static.com
    path(
        "static/img/sleeveart/<str:first>/<str:second>/<str:third>/<str:name>.jpg",
        by_method(GET=images.cover, HEAD=images.cover),
    ),
    # for tests and developers only
    path("_control/journal", by_method(GET=control.journal_lines)),
    path("_control/faults", by_method(GET=control.faults, POST=control.order_fault, DELETE=control.clear_faults)),
    path("_control/publish", by_method(POST=control.publish)),
    path("_control/shelves", by_method(GET=control.shelves)),
    path("_control/audio/<int:track_id>/<int:format_id>", by_method(GET=control.audio)),
    path("_control/clock", by_method(POST=control.shift_clock)),
    path("_control/reset", by_method(POST=control.reset)),
]

handler404 = not_found
handler500 = broken
