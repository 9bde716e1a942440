"""Every path of the stand-in: the platform's own, and the control door."""

from __future__ import annotations

from django.urls import path

from sandbox.gate import broken, by_method, not_found
from sandbox.views import (
    control,
    downloads,
    images,
    locker,
    offline,
    playlists,
    plays,
    previews,
    reports,
    sales,
    status,
    streams,
    subscriptions,
    users,
)

urlpatterns = [
    # api.7digital.com
    path("1.2/status", by_method(GET=status.show)),
    path("1.2/user/create", by_method(GET=users.create, POST=users.create)),
    path("1.2/user/unlimitedStreaming", by_method(GET=subscriptions.read, POST=subscriptions.submit)),
    path("1.2/user/unlimitedStreaming/offline", by_method(GET=offline.status, POST=offline.switch)),
    path("1.2/user/offlineclients", by_method(GET=offline.clients)),
    path("1.2/user/subscription/log", by_method(POST=plays.log)),
    path("1.2/preview/log", by_method(POST=previews.log)),
    path("1.2/user/deliveritem", by_method(GET=sales.deliver)),
    path("1.2/user/locker", by_method(GET=locker.show)),
    path("1.2/user/purchase/<str:purchase>/release/<str:release>", by_method(DELETE=sales.refund_release)),
    path("1.2/user/purchase/<str:purchase>/track/<str:track>", by_method(DELETE=sales.refund_track)),
    path("1.2/playlists", by_method(GET=playlists.of_partner, POST=playlists.create)),
    path("1.2/user/playlists", by_method(GET=playlists.of_user)),
    path(
        "1.2/playlists/<str:key>",
        by_method(GET=playlists.read, POST=playlists.replace, DELETE=playlists.delete),
    ),
    path("1.2/playlists/<str:key>/details", by_method(GET=playlists.details, POST=playlists.update_details)),
    path("1.2/playlists/<str:key>/tracks", by_method(GET=playlists.list_tracks, POST=playlists.add_tracks)),
    # stream.svc.7digital.net
    path("stream/subscription", by_method(GET=streams.progressive, HEAD=streams.progressive)),
    path("stream/subscription.m3u8", by_method(GET=streams.playlist, HEAD=streams.playlist)),
    path("stream/segment/<int:number>.<str:kind>", by_method(GET=streams.segment)),
    path("offline/subscription", by_method(GET=offline.progressive, HEAD=offline.progressive)),
    path("offline/subscription.m3u8", by_method(GET=offline.playlist, HEAD=offline.playlist)),
    path("offline/segment/<int:number>.<str:kind>", by_method(GET=streams.segment)),
    # media.geo.7digital.com
    path("media/user/download/purchase", by_method(GET=downloads.purchase, HEAD=downloads.purchase)),
    path("media/user/download/release", by_method(GET=downloads.release, HEAD=downloads.release)),
    path("media/user/downloadtrack", by_method(GET=downloads.track, HEAD=downloads.track)),
    # previews.7digital.com
    path("clip/<str:track>", by_method(GET=previews.clip, HEAD=previews.clip)),
    # artwork-cdn.7static.com
    path(
        "static/img/sleeveart/<str:first>/<str:second>/<str:third>/<str:name>.jpg",
        by_method(GET=images.cover, HEAD=images.cover),
    ),
    # for tests and developers only
    path("_control/journal", by_method(GET=control.journal_lines)),
    path("_control/faults", by_method(GET=control.faults, POST=control.order_fault, DELETE=control.clear_faults)),
    path("_control/publish", by_method(POST=control.publish)),
    path("_control/usage-report", by_method(GET=reports.usage_report)),
    path("_control/usage-report/errors", by_method(GET=reports.usage_report_errors)),
    path("_control/shelves", by_method(GET=control.shelves)),
    path("_control/audio/<int:track_id>/<int:format_id>", by_method(GET=control.audio)),
    path("_control/clock", by_method(POST=control.shift_clock)),
    path("_control/reset", by_method(POST=control.reset)),
]

handler404 = not_found
handler500 = broken
