"""Settings: what Django makes by itself, and where the database is."""

import os
import secrets
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

FACTS = conninfo_to_dict(os.environ.get("DATABASE_URL", "postgresql://localhost/reservations"))

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": FACTS.get("dbname", ""),
        "USER": FACTS.get("user", ""),
        "PASSWORD": FACTS.get("password", ""),
        "HOST": FACTS.get("host", ""),
        "PORT": str(FACTS.get("port", "")),
        "TEST": {"CHARSET": "UTF8", "TEMPLATE": "template0"},
    }
}

# One that nobody knows, for this process: logins end with it. Set your own where there are several, or a restart.
SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(50)
DEBUG = bool(os.environ.get("DEBUG"))
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "reservations",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "project.urls"
LOGIN_URL = "admin:login"
STATIC_URL = "static/"
BASE_DIR = Path(__file__).parent.parent
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# What the pipeline does is one line each in the log "assignment_pipeline".
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"assignment_pipeline": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")}},
}
