"""Every path of the service. No trailing slashes below /api/v1."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from accounts import api as accounts
from billing import doors as billing
from catalogue import api as catalogue
from catalogue import doors as events
from catalogue import shelves
from config import health, listen, metrics
from config.about import About
from downloads import api as downloads
from downloads import locker_api as locker
from downloads.desk.lockers import locker as locker_desk
from downloads.desk.receipt import receipt
from downloads.desk.unknown import unknown_sales
from downloads.receipt_api import OneReceipt
from playlists import api as playlists
from playlists import curated_api as curated
from playlists.desk import doors as curating
from playlists.desk.page import curate
from playlists.desk.ruling import preview
from playlists.desk.takedowns import takedowns
from previews import api as previews
from reports.admin import play_reports
from reports.sales_page import sales_reports
from streaming import api as streaming
from streaming import device_api as devices
from streaming import offline_api as offline
from streaming.admin import why
from subscriptions import api as subscriptions
from subscriptions.desk.counts import subscriber_counts
from subscriptions.desk.dates import check_dates
from subscriptions.desk.gift import give
from usage import api as usage
from usage.desk import reconciling
from usage.desk.board import play_ledger
from web.converters import Opaque

register_converter(Opaque, "opaque")

v1 = [
    path("streams", streaming.Streams.as_view()),  # the busiest first: paths are tried in this order
    path("plays", usage.Plays.as_view()),
    path("me", accounts.Me.as_view()),
    path("me/exports", accounts.Exports.as_view()),
    path("me/exports/<opaque:export_id>", accounts.OneExport.as_view()),
    path("catalogue/search", catalogue.Search.as_view()),
    path("catalogue/tracks", catalogue.Tracks.as_view()),
    path("catalogue/tracks/<int:track_id>", catalogue.OneTrack.as_view()),
    path("catalogue/tracks/<int:track_id>/availability", catalogue.Availability.as_view()),
    path("catalogue/tracks/<int:track_id>/preview", previews.OneClip.as_view()),
    path("catalogue/releases", shelves.Releases.as_view()),
    path("catalogue/releases/<int:release_id>", shelves.OneRelease.as_view()),
    path("catalogue/artists/<int:artist_id>", shelves.OneArtist.as_view()),
    path("catalogue/artists/<int:artist_id>/releases", shelves.ArtistReleases.as_view()),
    path("catalogue/changes", shelves.Changes.as_view()),
    path("playlists", playlists.Playlists.as_view()),
    path("playlists/featured", curated.FeaturedPlaylists.as_view()),
    path("playlists/<opaque:playlist_id>", playlists.OnePlaylist.as_view()),
    path("playlists/<opaque:playlist_id>/items", playlists.Items.as_view()),
    path("playlists/<opaque:playlist_id>/items/move", playlists.Move.as_view()),
    path("playlists/<opaque:playlist_id>/items/<opaque:item_id>", playlists.OneItem.as_view()),
    path("subscription", subscriptions.MySubscription.as_view()),
    path("subscription/history", subscriptions.SubscriptionHistory.as_view()),
    path("subscriptions/check", subscriptions.CheckTerms.as_view()),
    path("plans", subscriptions.Plans.as_view()),
    path("streams/events", streaming.StreamEvents.as_view()),
    path("streams/current", streaming.CurrentStream.as_view()),
    path("devices", devices.Devices.as_view()),
    path("devices/<path:client_id>/offline", devices.OfflineSwitch.as_view()),
    path("devices/<path:client_id>", devices.OneDevice.as_view()),
    path("previews", previews.Previews.as_view()),
    path("purchases", downloads.Purchases.as_view()),
    path("purchases/<opaque:purchase_id>", downloads.OnePurchase.as_view()),
    path("purchases/<opaque:purchase_id>/receipt", OneReceipt.as_view()),
    path("locker", locker.Locker.as_view()),
    path("downloads", downloads.Downloads.as_view()),
    path("offline/copies", offline.Copies.as_view()),
    path("offline/copies/<int:track_id>", offline.OneCopy.as_view()),
    path("offline/manifest", offline.CheckIn.as_view()),
    path("config", About.as_view()),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]

desk = [
    path("", admin.site.admin_view(curate), name="curate"),
    path("state", curating.State.as_view()),
    path("change", curating.Change.as_view()),
    path("notices", curating.Notices.as_view()),
    path("find", curating.Find.as_view()),
    path("match", curating.Matched.as_view()),
    path("seen", curating.Seen.as_view()),
    path("history", curating.History.as_view()),
    path("preview", curating.Preview.as_view()),
    path("cover", curating.Cover.as_view()),
    path("substitutes", curating.Substitutes.as_view()),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs")),
    path("api/v1/", include(v1)),
    path("listen", listen.page),
    path("listen/demo", listen.demo),
    path("covers/<uuid:playlist_id>/<slug:digest>/<int:size>.jpg", curated.cover),
    path("_allauth/", include("allauth.headless.urls")),
    path("webhooks/billing/standard", billing.StandardDoor.as_view()),
    path("webhooks/billing/stripe", billing.StripeDoor.as_view()),
    path("webhooks/billing/apple", billing.AppleDoor.as_view()),
    path("webhooks/billing/revenuecat", billing.RevenueCatDoor.as_view()),
    path("webhooks/billing/google", billing.GoogleDoor.as_view()),
    path("webhooks/catalogue/standard", events.CatalogueDoor.as_view()),
    path("webhooks/catalogue/enhanced", events.CatalogueDoor.as_view(kind="enhanced")),
    path("admin/why/", admin.site.admin_view(why), name="why"),
    path("admin/play-ledger/", admin.site.admin_view(play_ledger), name="play-ledger"),
    path("admin/reports/", admin.site.admin_view(play_reports), name="reports"),
    path("admin/sales/", admin.site.admin_view(sales_reports), name="sales"),
    path("admin/subscribers/", admin.site.admin_view(subscriber_counts), name="subscribers"),
    path("admin/dates/", admin.site.admin_view(check_dates), name="dates"),
    path("admin/gift/<uuid:listener_id>/", admin.site.admin_view(give), name="gift"),
    path("admin/usage-reports/import/", admin.site.admin_view(reconciling.bring), name="import_report"),
    path("admin/usage-reports/<int:report_id>/sign/", admin.site.admin_view(reconciling.sign), name="sign_report"),
    path(
        "admin/usage-reports/<int:report_id>/withdraw/",
        admin.site.admin_view(reconciling.withdraw),
        name="withdraw_report",
    ),
    path("admin/differences/resolve/", admin.site.admin_view(reconciling.resolve), name="resolve"),
    path("admin/clips/<int:track_id>", previews.DeskClip.as_view(), name="clip"),
    path("admin/rules/preview/", admin.site.admin_view(preview), name="rule-preview"),
    path("admin/takedowns/", admin.site.admin_view(takedowns), name="takedowns"),
    path("admin/unknown-sales/", admin.site.admin_view(unknown_sales), name="unknown-sales"),
    path("admin/receipts/<uuid:purchase_id>/", admin.site.admin_view(receipt), name="receipt"),
    path("admin/lockers/<uuid:listener_id>/", admin.site.admin_view(locker_desk), name="locker"),
    path("admin/curate/<uuid:playlist_id>/", include(desk)),
    path("admin/", admin.site.urls),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics.show),
]

handler400 = "web.problems.bad_request"
handler403 = "web.problems.denied"
handler404 = "web.problems.not_found"
handler500 = "web.problems.server_error"
