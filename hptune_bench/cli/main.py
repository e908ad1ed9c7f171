"""The command line: ``hptune-bench``, also ``python -m hptune_bench``.

Heavy modules are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hptune_bench.cli import options
from hptune_bench.core.errors import UserError
from hptune_bench.core.kernels import settle_numpy

app = typer.Typer(
    name="hptune-bench",
    help=(
        "Is automatic hyperparameter tuning worth it, compared with the loop you would write by hand? "
        "Runs hand-written loops beside KerasTuner on the same data, budget and seeds, and reports what came of it.\n\n"
        "Exit codes: 0 done; 1 some runs failed, or a verification differs; 2 the input is wrong; 130 interrupted."
    ),
    epilog="Start with: hptune-bench run benchmarks/smoke.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line; bad input ends with one sentence and exit code 2."""
    settle_numpy()
    try:
        app()
    except UserError as error:
        from hptune_bench.core.text import clean

        lines = [f"hptune-bench: {clean(error)}"]
        if error.detail:
            lines += ["".join(char for char in line if char.isprintable()) for line in error.detail.splitlines()]
        print("\n".join(lines), file=sys.stderr)  # noqa: T201 - the one place that speaks in errors
        raise SystemExit(2) from None


def _version(value: bool) -> None:
    if value:
        from hptune_bench import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    benchmark: Annotated[
        str,
        typer.Argument(
            help="A benchmark file (.toml), or a model of your own (my_model.py:build_model).", show_default=False
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Results folder.  [default: results/NAME]")] = None,
    workers: options.Workers = None,
    tuner: Annotated[list[str] | None, typer.Option(help="Only this tuner; may be repeated.")] = None,
    workload: Annotated[list[str] | None, typer.Option(help="Only this workload; may be repeated.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Number of seeds, instead of the file's.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Budget of every run: 20trainings, 500epochs, 20trials or 60s.")
    ] = None,
    trainer: Annotated[str | None, typer.Option(help="compiled, stock, table or fake, instead of the file's.")] = None,
    data: options.Data = None,
    target: options.Target = None,
    epochs: options.Epochs = None,
    report: Annotated[bool, typer.Option(help="Write the report; without it, tables only.")] = True,
    fresh: Annotated[bool, typer.Option("--fresh", help="Discard what the results folder holds.")] = False,
) -> None:
    """Run a benchmark, or what is missing of it.

    Tables and report are written after each round of seeds. A finished run is never run again: stop whenever you
    like, and give the same command to go on.
    """
    from hptune_bench.cli import screen
    from hptune_bench.execution.campaign import Campaign
    from hptune_bench.execution.executors.worker import usable_cores

    whole = options.definition_of(benchmark, {"data": data, "target": target, "epochs": epochs})
    budget = budget or options.budget_of_script(benchmark)
    definition = options.narrowed(whole, tuner, workload, seeds, budget, trainer)
    folder = out or Path("results") / definition.name
    console = screen.console()
    with screen.observer(console) as observer:
        campaign = Campaign(
            benchmark=definition,
            folder=folder,
            workers=workers or usable_cores(),
            command=options.command_line(),
            observer=observer,
            on_round=lambda final: screen.after_round(console, folder, final, report),
            source=str(benchmark),
        )
        screen.search_spaces(console, campaign.plan.workloads)
        summary = campaign.run(fresh=fresh)
    missing = f", {summary.missing} missing" if summary.missing else ""
    console.print(f"{summary.done} of {summary.planned} runs done, {summary.failed} failed{missing}.")
    console.print(f"Report: {folder / 'report.md'}" if report else f"Tables: {folder}", soft_wrap=True)
    if summary.interrupted:
        console.print("Interrupted: the same command goes on where this one stopped.")
        raise typer.Exit(130)
    if summary.failed or summary.missing:
        raise typer.Exit(1)


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of one benchmark.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Where to write.  [default: the folder; of several one beside the first]")
    ] = None,
) -> None:
    """Write the report of results again; several folders give one report.

    It makes report.md, report.html, plots and tables; unfinished results do too, and the report says what is missing.
    """
    from hptune_bench.report import write_report
    from hptune_bench.store.results import read_results

    campaigns = [read_results(folder, epochs=False) for folder in folders]
    # The first folder's own report stays what its own records give: that is what `verify` holds it against.
    target = out or (folders[0] if len(folders) == 1 else options.merged_folder(folders))
    typer.echo(write_report(campaigns, target))
    if len(folders) == 1 and target == folders[0] and campaigns[0].manifest["files"]:
        from hptune_bench.store.folder import renew_report_checksums

        renew_report_checksums(target, campaigns[0].manifest)


@app.command()
def show(folder: options.Folder) -> None:
    """Show standing, best configurations and models."""
    from hptune_bench.cli import screen
    from hptune_bench.store.results import read_results

    campaign = read_results(folder)
    console = screen.console()
    screen.standing(console, campaign)
    screen.best_configurations(console, campaign)


@app.command()
def pack(folder: options.Folder) -> None:
    """Pack finished results: all journals into one archive, the large tables compressed.

    Every command reads them as before; run unpacks them to go on.
    """
    from hptune_bench.store.pack import pack as packing

    packing(folder)
    typer.echo(folder)


@app.command()
def verify(
    folder: options.Folder,
    rerun: Annotated[
        str, typer.Option(metavar="N|all", help="Also do so many finished runs again, a seeded sample, or all.")
    ] = "",
) -> None:
    """Check whether results still hold.

    Files against the manifest, rows against each other, tables against the journals, the report against the tables;
    with --rerun the best models are scored, the tuners asked and the configurations trained again.
    """
    from hptune_bench.cli import screen
    from hptune_bench.store.results import read_results
    from hptune_bench.verify.files import check_files
    from hptune_bench.verify.report import check_environment

    count = options.rerun_count(rerun)
    console = screen.console()
    checks = screen.checks(console, check_files(folder))
    if rerun:
        from hptune_bench.verify import rerun as again

        campaign = read_results(folder)
        screen.checks(console, [check_environment(campaign)])
        checks += screen.checks(console, again.saved_models(folder, campaign))
        for pair in again.rerun(folder, campaign, again.sample(campaign, count)):
            checks += screen.checks(console, pair)
    if screen.outcome(console, checks):
        raise typer.Exit(1)


@app.command()
def check(
    workload: Annotated[
        str, typer.Argument(help="A workload, or a model of your own (my_model.py:build_model).", show_default=False)
    ],
    data: options.Data = None,
    target: options.Target = None,
    epochs: options.Epochs = None,
    budget: Annotated[str, typer.Option(help="The budget that is planned.")] = "20trainings",
    trainer: Annotated[str, typer.Option(help="compiled or stock.")] = "compiled",
    probes: Annotated[int, typer.Option(min=0, help="Random configurations that are trained for a few epochs.")] = 12,
) -> None:
    """Look for what would spoil a long run: of the search space, the data, the model, the budget.

    Models are built and a few are trained for five epochs. Each warning says what was seen and what to do. Exit code 1
    where there is one.
    """
    from hptune_bench import registry
    from hptune_bench.cli import screen
    from hptune_bench.core.budget import Budget, Limits
    from hptune_bench.core.tensorflow import import_quietly
    from hptune_bench.lint import check as linter
    from hptune_bench.training import make_trainer

    planned = Budget.parse(budget)
    import_quietly()
    own = options.given({"data": data, "target": target, "epochs": epochs})
    console = screen.console()
    made = registry.make_workload(workload, own, "check")
    screen.search_spaces(console, {made.name: made})
    limits = Limits.of(planned, made.full_epochs)
    tuners = {name: info for name, info in registry.tuner_infos().items() if info.usual}
    with registry.importing(workload, own):
        count = screen.findings(console, linter.everything(made, limits, tuners, make_trainer(trainer, made), probes))
    console.print(f"{count} warnings." if count != 1 else "1 warning.")
    if count:
        raise typer.Exit(1)


@app.command()
def compare(
    first: options.Folder,
    second: Annotated[Path, typer.Argument(help="Another results folder.", show_default=False)],
) -> None:
    """Compare two campaigns of one benchmark.

    Another machine, other versions or another trainer: scores, their paired differences, ratios of times, and whether
    the second confirms the verdicts of the first.
    """
    from hptune_bench.cli import screen
    from hptune_bench.store.results import read_results

    screen.compared(screen.console(), *(read_results(folder, epochs=False) for folder in (first, second)))


@app.command()
def table(
    workload: Annotated[str, typer.Argument(help="A workload (hptune-bench list workloads).", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the table.")] = Path("results/tables"),
    workers: options.Workers = None,
    levels: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N", help="So many values of this hyperparameter; may be repeated."),
    ] = None,
    data_seeds: Annotated[int, typer.Option(min=1, max=1000, help="Data draws.")] = 3,
    training_seeds: Annotated[int, typer.Option(min=1, max=1000, help="Trainings on each data draw.")] = 3,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the workload; may be repeated.")
    ] = None,
    trainer: Annotated[str, typer.Option(help="compiled, stock or fake.")] = "compiled",
    fresh: Annotated[bool, typer.Option("--fresh", help="Discard the table that is there.")] = False,
) -> None:
    """Train every configuration of a workload, epoch by epoch, into one table that searches can be replayed on.

    Continuous hyperparameters on a log scale get at least thirty values, all others every value. Stop whenever you
    like, and give the same command to go on.
    """
    from hptune_bench.cli import screen
    from hptune_bench.cli.observers import TableProgress
    from hptune_bench.execution.executors.worker import usable_cores
    from hptune_bench.execution.tabulate import Tabulation
    from hptune_bench.training import require_trainer

    require_trainer(trainer, training=True)
    console = screen.console()
    tabulation = Tabulation(
        workload=workload,
        options=options.workload_options(set_),
        folder=out,
        workers=workers or usable_cores(),
        counts=options.levels_given(levels),
        data_replicates=data_seeds,
        training_replicates=training_seeds,
        trainer=trainer,
        command=options.command_line(),
        progress=TableProgress(console),
    )
    for name, values in tabulation.levels.items():
        console.print(f"{name}: {len(values)} values from {values[0]} to {values[-1]}", soft_wrap=True)
    if not tabulation.run(fresh=fresh):
        console.print("Interrupted: the same command goes on where this one stopped.")
        raise typer.Exit(130)
    console.print(f"Table: {out / f'{workload}.parquet'}", soft_wrap=True)


@app.command()
def play(
    workload: Annotated[str, typer.Argument(help="A workload that there is a table of.", show_default=False)],
    tables: Annotated[Path | None, typer.Option(help="Folder of the table.  [default: where tables are kept]")] = None,
    budget: Annotated[str | None, typer.Option(help="Budget of the game.  [default: the main job's]")] = None,
    seed: Annotated[int, typer.Option(min=1, max=100_000, help="Names the data that are played on.")] = 1,
    against: Annotated[list[str] | None, typer.Option(help="A tuner to stand beside; may be repeated.")] = None,
    runs: Annotated[int, typer.Option(min=1, max=100_000, help="Searches of each of them.")] = 200,
    log: Annotated[Path | None, typer.Option(help="Where your log is saved, if you agree.")] = None,
) -> None:
    """Tune by hand, against a complete table, under the ledger that the tuners have.

    At the end you see where you stand beside hand-written loops and tuners. What you tried can be saved, without a
    name; the tuner expert_log replays it.
    """
    from hptune_bench.core.budget import Budget
    from hptune_bench.play import game

    made, trainer = game.on_table(workload, tables)
    planned = Budget.parse(budget or game.BUDGETS.get(workload, game.OTHER_BUDGET))
    log = log or Path(f"expert-{workload}.json")
    game.play(made, trainer, planned, seed, against or game.usual_opponents(), runs, input, typer.echo, log)


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="workloads, tuners or benchmarks; all where nothing is given.")] = "",
) -> None:
    """List the workloads, tuners and benchmark files at hand."""
    from hptune_bench.cli import screen
    from hptune_bench.core.names import nearest

    kinds = {"workloads": screen.workloads, "tuners": screen.tuners, "benchmarks": screen.benchmarks}
    if what and what not in kinds:
        raise UserError(f"list: there is nothing called {what!r} to list{nearest(what, kinds)}")
    console = screen.console()
    for kind, show_kind in kinds.items():
        if what in ("", kind):
            show_kind(console)
