"""The files for systemd and Kubernetes say what they should, with a command that is one."""

from __future__ import annotations

import shlex
from configparser import ConfigParser

import click
import yaml

from api.cli import cli
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"


def unit(name: str) -> ConfigParser:
    found = ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment]  # systemd's names have capitals
    found.read(DEPLOY / name)
    return found


def check_command(words: list[str]) -> None:
    assert words[0].endswith("recsys")
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None
    command.make_context(None, words[2:])


def test_the_service_runs_a_night_and_takes_another_ones_lock_for_no_failure():
    service = unit("recsys-nightly.service")["Service"]
    check_command(shlex.split(service["ExecStart"]))
    assert service["Type"] == "oneshot"
    assert service["SuccessExitStatus"] == "75"


def test_the_timer_names_a_time_of_every_day():
    assert unit("recsys-nightly.timer")["Timer"]["OnCalendar"] == "*-*-* 03:00"


def test_the_cron_job_runs_a_night_in_the_home_of_the_servers():
    job = yaml.safe_load((DEPLOY / "recsys-nightly.cronjob.yaml").read_text())
    assert (job["kind"], job["spec"]["concurrencyPolicy"]) == ("CronJob", "Forbid")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    check_command(container["command"])
    [mount] = container["volumeMounts"]
    assert {"name": "RECSYS_HOME", "value": mount["mountPath"]} in container["env"]
    assert mount["name"] in {volume["name"] for volume in pod["volumes"]}
