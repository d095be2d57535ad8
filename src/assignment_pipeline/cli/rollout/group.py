"""``rollout``: its commands, from the modules that they stand in."""

from __future__ import annotations

from assignment_pipeline.cli.rollout import commands, plan, report, watch

app = commands.app
app.command("watch")(watch.watch)
app.command("plan")(plan.plan)
app.command("report")(report.report)
app.command("archive")(report.archive)
