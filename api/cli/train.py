"""recsys train: a model from what the store holds."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import FitProgress, json_option, print_json, say
from api.cli.session import Session
from api.cli.together import first_of_all
from api.cli.tuning import TuningPlan, tuned, tuning_options, tuning_plan

if TYPE_CHECKING:
    from data.store import Store
    from recsys.interactions import Interactions
    from recsys.matrix import InteractionMatrix
    from recsys.night.material import Material


@click.command(epilog="Example: recsys train --model als --set factors=64 --publish")
@click.option(
    "--model", "models", multiple=True, help="Model to train, also several times; the autoencoder by default."
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the model.")
@click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), help="Where to train (RECSYS_DEVICE, auto).")
@click.option("--seed", type=click.IntRange(0), help="Seed of every random choice (RECSYS_SEED, 0).")
@click.option("--publish", is_flag=True, help="Put the new versions live.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the state of the training here while it runs, and go on from what an interrupted one left.",
)
@tuning_options
@json_option
@click.pass_obj
def command(
    session: Session,
    models: tuple[str, ...],
    assignments: tuple[str, ...],
    device: str | None,
    seed: int | None,
    publish: bool,
    checkpoint: Path | None,
    tune: int | None,
    tune_seconds: float | None,
    tune_metric: str | None,
    as_json: bool,
) -> None:
    """Train on what the store holds. With --publish the new version answers from the next request on, unjudged.

    One person in ten is learnt from by no version (setting panel_share), so that `recsys nightly` can judge by them.

    Several processes train the autoencoder together: torchrun --nproc-per-node 2 -m api.cli train

    --tune looks for each model's best settings on held-out users first; what --set gives stays as it is. What it tried
    is kept in home: the same command goes on where it was interrupted, and a larger budget adds to it.
    """
    session.flags |= {"device": device, "seed": seed}
    names = models or (session.settings.default_model,)
    if assignments and len(names) > 1:
        raise click.UsageError("--set goes with one --model at a time")
    plan = tuning_plan(tune, tune_seconds, tune_metric)
    versions = train(session, names, parse_assignments(assignments), publish, checkpoint, plan)
    if as_json:
        print_json({"published": publish, "versions": versions})
    elif not publish:
        say("kept, not live: `recsys models promote VERSION` puts a version live")


def train(
    session: Session,
    names: Sequence[str],
    config: dict[str, Any],
    publish: bool,
    checkpoint: Path | None = None,
    plan: TuningPlan | None = None,
) -> dict[str, str]:
    """Train each model on the store, tuned first where there is a plan for that; the name of the version of each."""
    from recsys.candidate import train_candidate
    from recsys.models import model_class
    from recsys.recommender import Checkpoint, FitOptions

    settings = session.settings
    for name in names:
        model_class(name)  # a wrong name is found before an hour of training, not after
    first = first_of_all(settings.device)
    store = session.store()
    registry = session.registry()
    forgettings = registry.forgettings()  # before anything is read: whoever is forgotten after it marks the versions
    material = material_of(session, store)
    learnt = material.learnt
    configs = {name: {**settings.models.get(name, {}), **config} for name in names}
    if plan is not None:
        from recsys.tuning.tune import spare

        found = tuned(session, plan, names, *spare(learnt.matrix, settings.seed, order=learnt.order), fixed=config)
        configs = {name: dict(one.settings) for name, one in found.items()}
    bundles = []
    for name in names:
        progress, started = FitProgress(name), time.monotonic()
        options = FitOptions(
            device=settings.device,
            seed=settings.seed,
            on_progress=progress,
            checkpoint=Checkpoint(checkpoint / name) if checkpoint is not None else None,
        )
        bundle = train_candidate(name, configs[name], learnt, options, material.card())
        progress.close()
        say(f"{name}: trained in {time.monotonic() - started:.1f} s, {bundle.card['parameters']:,} parameters")
        bundles.append(bundle)
    if not first:
        return {}
    versions = registry.add(bundles, forgettings)
    if publish:
        registry.go_live(versions)
    for name, version in zip(names, versions, strict=True):
        say(f"{name}: {'live' if publish else 'kept'} as {version}")
    return dict(zip(names, versions, strict=True))


def material_of(session: Session, store: Store) -> Material:
    """What the store holds, apart into whom models learn from and whom they are judged by; told in a line or two."""
    from recsys.night.material import Material

    settings = session.settings
    interactions = read_events(session, store)
    material = Material.of(interactions, settings.weights, settings.min_user, settings.min_item, settings.panel_share)
    data, panel = material.learnt, material.panel
    apart = "" if panel is None else f"; {len(panel.users):,} people more are kept apart to judge by"
    say(f"matrix: {len(data.users):,} users, {len(data.items):,} items, {data.matrix.nnz:,} preferences{apart}")
    return material


def read_events(session: Session, store: Store) -> Interactions:
    """Everything the store holds; event types without a rule are named."""
    interactions = store.interactions()
    for event, count in session.settings.weights.unruled(interactions).items():
        say(f"event type '{event}' has no rule: its {count:,} rows count nothing; see [events.{event}] in the README")
    return interactions


def matrix_of(session: Session) -> InteractionMatrix:
    """The matrix of everything the store holds, under the session's rules."""
    from recsys.matrix import InteractionMatrix

    settings = session.settings
    interactions = read_events(session, session.store())
    return InteractionMatrix.build(interactions, settings.weights, settings.min_user, settings.min_item)


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """("factors=64", "layers=[512,256]") -> {"factors": 64, "layers": [512, 256]}; JSON values are read."""
    config: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--set")
        try:
            config[key.strip()] = json.loads(value)
        except json.JSONDecodeError:
            config[key.strip()] = value
    return config
