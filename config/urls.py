"""Every path of the service. No trailing slashes below /api/v1."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from accounts import api as accounts
from billing import doors as billing
from catalogue import api as catalogue
from catalogue import doors as events
from catalogue import shelves
from config import health, listen, metrics
from config.about import About
from streaming import api as streaming
from streaming import device_api as devices
from streaming import offline_api as offline
from streaming.admin import why
from subscriptions import api as subscriptions
from subscriptions.desk.counts import subscriber_counts
from subscriptions.desk.dates import check_dates
from subscriptions.desk.gift import give
from usage import api as usage

v1 = [
    path("streams", streaming.Streams.as_view()),  # the busiest first: paths are tried in this order
    path("plays", usage.Plays.as_view()),
    path("me", accounts.Me.as_view()),
    path("me/exports", accounts.Exports.as_view()),
    path("me/exports/<uuid:export_id>", accounts.OneExport.as_view()),
    path("catalogue/search", catalogue.Search.as_view()),
    path("catalogue/tracks", catalogue.Tracks.as_view()),
    path("catalogue/tracks/<int:track_id>", catalogue.OneTrack.as_view()),
    path("catalogue/tracks/<int:track_id>/availability", catalogue.Availability.as_view()),
    path("catalogue/releases", shelves.Releases.as_view()),
    path("catalogue/releases/<int:release_id>", shelves.OneRelease.as_view()),
    path("catalogue/artists/<int:artist_id>", shelves.OneArtist.as_view()),
    path("catalogue/artists/<int:artist_id>/releases", shelves.ArtistReleases.as_view()),
    path("catalogue/changes", shelves.Changes.as_view()),
    path("subscription", subscriptions.MySubscription.as_view()),
    path("subscription/history", subscriptions.SubscriptionHistory.as_view()),
    path("subscriptions/check", subscriptions.CheckTerms.as_view()),
    path("plans", subscriptions.Plans.as_view()),
    path("streams/events", streaming.StreamEvents.as_view()),
    path("streams/current", streaming.CurrentStream.as_view()),
    path("devices", devices.Devices.as_view()),
    path("devices/<path:client_id>/offline", devices.OfflineSwitch.as_view()),
    path("devices/<path:client_id>", devices.OneDevice.as_view()),
    path("offline/copies", offline.Copies.as_view()),
    path("offline/copies/<int:track_id>", offline.OneCopy.as_view()),
    path("offline/manifest", offline.CheckIn.as_view()),
    path("config", About.as_view()),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs")),
    path("api/v1/", include(v1)),
    path("listen", listen.page),
    path("listen/demo", listen.demo),
    path("_allauth/", include("allauth.headless.urls")),
    path("webhooks/billing/standard", billing.StandardDoor.as_view()),
    path("webhooks/billing/stripe", billing.StripeDoor.as_view()),
    path("webhooks/billing/apple", billing.AppleDoor.as_view()),
    path("webhooks/billing/revenuecat", billing.RevenueCatDoor.as_view()),
    path("webhooks/billing/google", billing.GoogleDoor.as_view()),
    path("webhooks/catalogue/standard", events.CatalogueDoor.as_view()),
    path("webhooks/catalogue/enhanced", events.CatalogueDoor.as_view(kind="enhanced")),
    path("admin/why/", admin.site.admin_view(why), name="why"),
    path("admin/subscribers/", admin.site.admin_view(subscriber_counts), name="subscribers"),
    path("admin/dates/", admin.site.admin_view(check_dates), name="dates"),
    path("admin/gift/<uuid:listener_id>/", admin.site.admin_view(give), name="gift"),
    path("admin/", admin.site.urls),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics.show),
]

handler400 = "web.problems.bad_request"
handler403 = "web.problems.denied"
handler404 = "web.problems.not_found"
handler500 = "web.problems.server_error"
