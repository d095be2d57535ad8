"""The review queue's pages."""

from django.urls import path

from reservations import views

urlpatterns = [
    path("", views.queue, name="queue"),
    path("<uuid:booking_id>/place/", views.place, name="place"),
    path("<uuid:booking_id>/reject/", views.reject, name="reject"),
]
