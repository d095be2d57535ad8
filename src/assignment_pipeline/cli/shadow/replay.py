"""``replay``: a bundle, run again."""

from __future__ import annotations

import pprint
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from assignment_pipeline.cli.failures import GOOD, NO, refuse
from assignment_pipeline.cli.output import print_json, say
from assignment_pipeline.cli.shadow.bundles import difference, found_in, read_bundle, tables
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, opened
from assignment_pipeline.planning.base import Engine
from assignment_pipeline.rollout.shadow import Rerun, rerun
from assignment_pipeline.rollout.shadow.bundles import BundleError

WIDTH = 100

TEST = '''"""A booking that the pipeline and the legacy planner made something else of."""

{imports}
from assignment_pipeline.rollout.shadow import rerun

BUNDLE = {bundle}


def test_{name}():
    """The pipeline does as legacy did, or as well."""
    found = rerun(BUNDLE{engine})
    ours, legacy = found.trial.tables, found.case.legacy
    assert found.agrees, f"{{found.judgement.verdict}}: legacy {{legacy}}, pipeline {{ours}}"
'''


def replay(
    bundle: Annotated[
        str,
        typer.Argument(
            metavar="BUNDLE",
            help="A file that shadow show --json has printed. With --db or --app: a bundle's id or its beginning.",
        ),
    ],
    as_test: Annotated[bool, typer.Option("--as-test", help="Print the replay as a pytest test.")] = False,
    file: Annotated[bool, typer.Option("--file", help="Read BUNDLE as a file even with --app.")] = False,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Run a bundle again with the pipeline as it is now.

    Exits with 1 if the result still differs from the legacy planner's. With --app,
    the replay uses the strategies and the engine of your application.
    """
    engine: Engine | None = None
    found: Mapping[str, Any]
    if app is None and db is None:
        found = read_bundle(Path(bundle))
    else:
        with opened(app, db, reads=True) as coordinator:
            found = read_bundle(Path(bundle)) if file else found_in(coordinator, bundle)
            engine = coordinator.engine if app is not None and db is None else None
    try:
        again = rerun(found, engine)
    except BundleError as error:
        refuse(bundle, error.expected, error.got)
    if as_test:
        print(_as_test(found, again, app if db is None else None), end="")
        return
    if as_json:
        print_json(_document(again))
    else:
        _print(again)
    raise typer.Exit(GOOD if again.agrees else NO)


def _as_test(found: Mapping[str, Any], again: Rerun, app: str | None) -> str:
    imports, engine = "", ""
    if app is not None:
        module, _, path = app.partition(":")
        imports, engine = f"import {module}\n", f", engine={module}.{path}().engine"
    name = re.sub(r"\W+", "_", again.case.booking.id, flags=re.ASCII).strip("_").lower() or "it"
    bundle = pprint.pformat(dict(found), width=WIDTH, sort_dicts=False)
    text = TEST.format(imports=imports, bundle=bundle, name=name, engine=engine)
    return text.replace("\n\n\nfrom", "\n\nfrom").replace('"""\n\n\n', '"""\n\n', 1)


def _document(again: Rerun) -> dict[str, Any]:
    judgement, legacy = again.judgement, again.case.legacy
    return {
        "booking_id": again.case.booking.id,
        "before": again.before,
        "verdict": judgement.verdict.value,
        "kind": judgement.kind,
        "cost_difference": judgement.cost_difference,
        "legacy": list(legacy.tables) if legacy else None,
        "pipeline": list(again.trial.tables),
        "agrees": again.agrees,
    }


def _print(again: Rerun) -> None:
    judgement, case = again.judgement, again.case
    legacy = case.error or tables(case.legacy.tables if case.legacy else ())
    say(f"Legacy    {legacy}")
    say(f"Pipeline  {again.trial.error or tables(again.trial.tables)}")
    said = difference(judgement.kind, judgement.cost_difference)
    say(f"Now       {judgement.verdict.value}{f': {said}' if said else ''}")
    say(f"Then      {again.before}")
