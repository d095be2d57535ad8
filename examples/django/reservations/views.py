"""The review queue, for the staff: the bookings for which the pipeline asks a person."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from assignment_pipeline import AssignmentPipelineError
from assignment_pipeline.planning.sentences import explain
from reservations.models import Booking
from reservations.pipeline import coordinator


@staff_member_required
def queue(request: HttpRequest) -> HttpResponse:
    """Who waits, why, and what would do."""
    waiting = []
    page = coordinator().review_queue(limit=50)
    rows = Booking.objects.select_related("restaurant").in_bulk([record.booking_id for record in page.records])
    for row in rows.values():
        record = next(record for record in page.records if record.booking_id == str(row.id))
        decision = coordinator().preview(row.for_pipeline())
        waiting.append(
            {
                "row": row,
                "version": record.version,
                "sentence": explain(row.for_pipeline(), decision, row.start_at.tzinfo),
                "plan": decision.plan or decision.suggestion,
            }
        )
    return render(request, "reservations/review.html", {"waiting": waiting})


@staff_member_required
@require_POST
def place(request: HttpRequest, booking_id: str) -> HttpResponse:
    """Give a booking the tables that a person chose; without a choice, those that would do, others making room."""
    row = get_object_or_404(Booking, pk=booking_id)
    booking, tables = row.for_pipeline(), request.POST.get("tables", "").split()
    actor, version = request.user.get_username(), int(request.POST["version"])
    try:
        if tables:
            coordinator().place(booking, tables, actor=actor, expect_version=version)
        else:
            decision = coordinator().preview(booking)
            plan = decision.plan or decision.suggestion
            if plan is None:
                messages.error(request, "Nothing would do any more.")
                return redirect("queue")
            coordinator().place(booking, plan.tables, actor=actor, expect_version=version, moves=plan.moves, pin=False)
    except AssignmentPipelineError as error:  # Each says in one sentence what was in the way.
        messages.error(request, str(error))
    return redirect("queue")


@staff_member_required
@require_POST
def reject(request: HttpRequest, booking_id: str) -> HttpResponse:
    """Turn a booking down, for good."""
    try:
        coordinator().reject(str(booking_id), actor=request.user.get_username(), reason="no_table")
    except AssignmentPipelineError as error:
        messages.error(request, str(error))
    return redirect("queue")
