"""The page for people: what is recommended to whom, so that they can judge it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from api.auth import Policy, policy
from api.context import context
from api.errors import Refused
from api.pages import view
from data.records import id_fault
from recsys.errors import DamagedBundle, NoModel, RecsysError

pages = Blueprint("pages", "api.pages", template_folder="templates", static_folder="static", static_url_path="/static")


@pages.get("/")
@policy(Policy.READ)
def home() -> str:
    """A user's history beside what each live model recommends; the items most like one item."""
    user, item = (request.args.get(name, "").strip() for name in ("user", "item"))
    for noun, text in (("user", user), ("item", item)):
        found = id_fault(text) if text else None
        if found:
            raise Refused(400, "invalid-query", f"this {noun} id {found}")
    here = context()
    footer = view.footer()
    try:
        here.service.live.snapshot()
    except (NoModel, DamagedBundle) as error:
        return render_template("empty.html", error=error, user=user, footer=footer)
    shown: dict[str, Any] = {"user": user, "samples": view.sample_users()}
    if item:
        shown["similar"] = view.similar_to(item)
    if user:
        shown["person"] = view.person(user)
    elif not item:
        shown["lists"] = view.lists_for("")
    return render_template("home.html", footer=footer, **shown)


@pages.errorhandler(RecsysError)
def failed(error: RecsysError) -> tuple[str, int]:
    return render_template("failed.html", what=error.what, do=error.do, user="", footer=[]), 503


@pages.errorhandler(Refused)
def refused(error: Refused) -> tuple[str, int]:
    return render_template("failed.html", what=error.detail, do="", user="", footer=[]), error.status
