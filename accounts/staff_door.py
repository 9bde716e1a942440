"""How staff come into the admin: by a password that nobody may go on guessing, and a second factor."""

from __future__ import annotations

from typing import Any, Final

import segno
from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.factors import opened, sealed, set_up, shown
from accounts.models import SecondFactor, User
from accounts.totp import address_of, new_secret
from web.limits import count

MARK: Final = "second_factor"  # in the session: which factor it has shown
SECRET: Final = "second_factor_secret"  # noqa: S105  ... and the one that is being set up, sealed
WRONG: Final = "This is not the code, or it has been used before."


class StaffSignIn(AuthenticationForm):
    """The password is asked for where listeners' are: guesses at it count alike."""

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        email, password = given.get("username", ""), given.get("password", "")
        self.user_cache = get_adapter(self.request).authenticate(self.request, email=email, password=password)
        if self.user_cache is None:
            raise self.get_invalid_login_error()
        self.confirm_login_allowed(self.user_cache)
        return given


class Code(forms.Form):
    """Six digits of an app, or a recovery code."""

    code = forms.CharField(
        max_length=40,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


def passed(request: HttpRequest) -> bool:
    """Whether this session has shown the second factor that its login has now, or need not."""
    if settings.ADMIN_SECOND_FACTOR == "off":
        return True
    mark, who = request.session.get(MARK), request.user.pk
    return mark is not None and who is not None and SecondFactor.objects.filter(pk=mark, user_id=who).exists()


@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """Ask staff who have given their password for a code, or to set up what makes codes."""
    user = request.user
    if not (isinstance(user, User) and user.is_active and user.is_staff) or "leave" in request.POST:
        logout(request)
        return redirect("admin:login")
    if settings.ADMIN_SECOND_FACTOR == "off" or passed(request):
        return redirect(onward(request))
    form = Code(request.POST if request.method == "POST" else None)
    if form.is_valid() and (wait := count("second_factor", str(user.pk))) is not None:
        form.add_error("code", f"Too many codes were tried. Try again in {int(wait // 60) + 1} min.")
    if SecondFactor.objects.filter(user=user).exists():
        return ask(request, user, form)
    return begin(request, user, form)


def ask(request: HttpRequest, user: User, form: Code) -> HttpResponse:
    if form.is_valid():
        factor = shown(user=user, code=form.cleaned_data["code"], now=timezone.now())
        if factor is not None:
            let_in(request, factor)
            return redirect(onward(request))
        form.add_error("code", WRONG)
    return page(request, "ask", form=form)


def begin(request: HttpRequest, user: User, form: Code) -> HttpResponse:
    """A new secret for each look at the page, so that who has seen an earlier one has seen nothing."""
    secret = opened(request.session.get(SECRET, "")) if form.is_bound else None
    if secret is not None and form.is_valid():
        made = set_up(user=user, secret=secret, code=form.cleaned_data["code"], now=timezone.now())
        if made is not None:
            factor, codes = made
            let_in(request, factor)
            return page(request, "keep", codes=codes, onward=onward(request))
        form.add_error("code", WRONG)
    if secret is None:
        form, secret = Code(), new_secret()
        request.session[SECRET] = sealed(secret)
    return page(request, "begin", form=form, secret=secret, picture=picture_of(secret, user))


def let_in(request: HttpRequest, factor: SecondFactor) -> None:
    """Under a new session key: whoever knew the old one has shown nothing. From now on the address counts as theirs."""
    request.session.pop(SECRET, None)
    request.session[MARK] = str(factor.pk)
    request.session.cycle_key()
    UserSession.objects.create_from_request(request)


def onward(request: HttpRequest) -> str:
    """The page that was asked for, of this site alone."""
    wanted = request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours else resolve_url("admin:index")


def picture_of(secret: str, user: User) -> SafeString:
    """The secret as a picture that apps scan, drawn here: nobody else is told it."""
    said = address_of(secret, account=user.email, issuer=str(settings.UNFOLD["SITE_TITLE"]))
    return mark_safe(segno.make_qr(said, error="m").svg_inline(scale=5, light="#fff"))  # noqa: S308  squares alone


def page(request: HttpRequest, step: str, **context: Any) -> HttpResponse:
    frame = admin.site.each_context(request) | {"title": "Second factor", "step": step}
    return TemplateResponse(request, "admin/accounts/second_factor.html", frame | context)
