"""Django: a view closes a month and submits its export, another one opens the task centre.

In a project of yours settings and connection are there already; what you need are the views.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.urls import path
from login_link import export_link

import waybill

database = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": database.path.removeprefix("/"),
            "USER": database.username,
            "PASSWORD": os.environ.get("DATABASE_PASSWORD", ""),
            "HOST": database.hostname,
            "PORT": database.port,
        }
    },
)


def principal_of(_request: HttpRequest) -> waybill.Principal:
    """Your `request.user`, as Waybill knows it."""
    return waybill.Principal("ann", "acme", frozenset({"finance"}))


def close_month(request: HttpRequest, month: str) -> JsonResponse:
    """Close a month."""
    user = principal_of(request)
    with transaction.atomic():
        with connection.cursor() as cursor:
            insert = "INSERT INTO closings (tenant, month) VALUES (%s, %s)"
            cursor.execute(insert, [user.tenant, month])
        # The driver's own connection, in the transaction of `atomic`.
        driver = connection.connection
        export = waybill.submit(driver, "closing", params={"month": month}, user=user)
    return JsonResponse({"export": str(export.id)}, status=202)


def exports(request: HttpRequest) -> HttpResponseRedirect:
    """Open the task centre, logged in."""
    return HttpResponseRedirect(export_link(principal_of(request)))


urlpatterns = [path("closings/<month>", close_month), path("exports", exports)]
application = get_wsgi_application()
