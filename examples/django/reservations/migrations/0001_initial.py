"""The application's tables, as ``manage.py makemigrations`` has made this."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """The first."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Restaurant",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80)),
                ("timezone", models.CharField(default="Europe/Paris", max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name="DiningTable",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("label", models.CharField(max_length=20)),
                ("seats", models.PositiveSmallIntegerField()),
                ("room", models.CharField(blank=True, max_length=40)),
                ("in_use", models.BooleanField(default=True)),
                (
                    "next_to",
                    models.ForeignKey(
                        blank=True,
                        help_text="It can be pushed up to it.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="reservations.diningtable",
                    ),
                ),
                (
                    "restaurant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tables", to="reservations.restaurant"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Booking",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("guest", models.CharField(max_length=80)),
                ("party_size", models.PositiveSmallIntegerField()),
                ("start_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("confirmed", "Confirmed"),
                            ("cancelled", "Cancelled"),
                            ("declined", "Declined"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "restaurant",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="reservations.restaurant"),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Seat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("start_at", models.DateTimeField()),
                ("end_at", models.DateTimeField()),
                (
                    "by",
                    models.CharField(
                        choices=[("pipeline", "Pipeline"), ("legacy", "Legacy"), ("staff", "Staff")], max_length=10
                    ),
                ),
                (
                    "booking",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="seats",
                        to="reservations.booking",
                    ),
                ),
                (
                    "table",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="reservations.diningtable"),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="diningtable",
            constraint=models.UniqueConstraint(fields=("restaurant", "label"), name="label_once"),
        ),
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(condition=models.Q(("status", "pending")), fields=["start_at"], name="booking_pending"),
        ),
        migrations.AddIndex(
            model_name="seat",
            index=models.Index(fields=["table", "end_at"], name="seat_span"),
        ),
    ]
