"""Lists: the top-N of every active person, made by what is live and kept in the store for whoever reads it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.assortments import Assortments
from data.store import Store
from recsys.churn import Churn, ChurnCounter
from recsys.interactions import MICROSECONDS_PER_DAY
from recsys.serving.ask import Ask
from recsys.serving.service import RecommendationService

AT_ONCE = 500  # people: so long a write holds up nobody's feedback


def make_lists(
    store: Store, service: RecommendationService, n: int, until: int | None, days: float, beat: Callable[[], None]
) -> dict[str, Any]:
    """Replace the lists of those who did something in the ``days`` before ``until`` (microseconds; None: of all).

    The same rules as for an answer over HTTP. Returns people, model, version and the churn against the lists before.
    Lists of those who are no longer active are removed. Where another release goes live meanwhile, all are made again.
    """
    while True:
        found = _made(store, service, n, until, days, beat)
        if found is not None:
            return found


def _made(
    store: Store, service: RecommendationService, n: int, until: int | None, days: float, beat: Callable[[], None]
) -> dict[str, Any] | None:
    """All lists, of one release; None where it did not stay live until they were done."""
    since = None if until is None else until - int(days * MICROSECONDS_PER_DAY)
    assortment = Assortments(store).current(store.marks().items)
    churn, people, after = ChurnCounter(n), 0, None
    model, version = "", ""
    while users := store.active_users(since, after, AT_ONCE):
        after, forgotten = users[-1], -1
        while forgotten != store.marks().forgotten:  # who left and came again has no list of what they did before
            forgotten = store.marks().forgotten
            answers = service.recommend_many([(user, store.history(user)) for user in users], Ask(n), assortment)
            if version not in ("", answers[0].model_version):
                return None
            model, version = answers[0].model_name, answers[0].model_version
            before = store.lists(model, users)
            lists = {answer.user: [(row.item, row.score) for row in answer.items] for answer in answers}
            written = store.put_lists(model, version, [(user, lists[user]) for user in users])
        people += written
        for user in before:
            churn.add([item for item, _ in before[user][1]], [item for item, _ in lists[user]])
        beat()
    if version:
        store.drop_lists(model, version)
    return {"people": people, "n": n, "model": model, "version": version, "churn": _told(churn.result())}


def _told(churn: Churn) -> dict[str, Any]:
    """Plain values, and the same in a sentence."""
    if churn.kept is None or churn.unchanged is None or churn.other is None:
        return {**churn.as_dict(), "text": "nobody had a list before"}
    text = f"{churn.kept:.0%} of the places kept of {churn.users:,} people's lists before; {churn.unchanged:.0%} of the"
    return {**churn.as_dict(), "text": f"{text} lists are as they were, {churn.other:.0%} are all new"}
