"""Django: a view closes a month and submits its export, inside `atomic`.

In a project of yours the settings and the connection are there already; what you need is the view.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

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


urlpatterns = [path("closings/<month>", close_month)]
application = get_wsgi_application()
