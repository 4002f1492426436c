"""The page: what it shows, with any text in it harmless."""

import re

import pytest

SCRIPT = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


def test_a_history_stands_beside_what_each_model_recommends(client):
    page = client.get("/?user=u1").get_data(as_text=True)
    assert "Title of a1" in page  # the history
    assert "Title of a0" in page  # recommended
    assert "ALS" in page
    assert "personal" in page
    assert re.search(r'class="disliked">\s*<span class="what"><a [^>]*>Title of b3', page)


def test_the_first_visit_offers_users_and_what_is_popular(client):
    page = client.get("/").get_data(as_text=True)
    assert 'href="/?user=u1"' in page
    assert "popular" in page


def test_an_unknown_user_is_told_so_and_gets_what_is_popular(client):
    page = client.get("/?user=nobody").get_data(as_text=True)
    assert "Nobody with this id" in page
    assert "popular" in page


def test_several_events_on_one_item_are_one_line(client):
    for event, value in (("watch", 12), ("rating", 4.5)):
        client.post("/v1/feedback", json={"events": [{"user": "u2", "item": "a1", "event": event, "value": value}]})
    page = client.get("/?user=u2").get_data(as_text=True)
    assert page.count("Title of a1") == 1
    assert "rating 4.5, watch 12" in page
    assert "2 events" in page


def test_the_items_like_one_item_are_shown_and_an_unknown_one_is_said_to_be(client):
    page = client.get("/?item=a2").get_data(as_text=True)
    assert "Title of a2" in page
    assert "Title of a0" in page
    assert "There is no item" in client.get("/?item=zebra").get_data(as_text=True)
    client.put("/v1/items/fresh", json={"title": "Fresh"})
    assert "No live model has seen" in client.get("/?item=fresh").get_data(as_text=True)
    client.put("/v1/items/fresh", json={"title": "Fresh", "categories": ["first"]})
    page = client.get("/?item=fresh").get_data(as_text=True)
    assert "by categories: no model knows it yet" in page
    assert "Title of a0" in page


def test_without_a_model_the_page_says_what_to_run(empty_app):
    page = empty_app.test_client().get("/?user=u1")
    assert page.status_code == 200
    assert "recsys demo" in page.get_data(as_text=True)
    assert "recsys train" in page.get_data(as_text=True)


def test_the_footer_names_the_live_version(client, registry):
    assert registry.live().models["als"] in client.get("/").get_data(as_text=True)


def test_hostile_titles_ids_and_categories_are_escaped(client):
    client.put("/v1/items/a0", json={"title": SCRIPT, "categories": [SCRIPT]})
    client.post("/v1/feedback", json={"events": [{"user": SCRIPT, "item": SCRIPT, "event": SCRIPT[:20]}]})
    client.post("/v1/feedback", json={"events": [{"user": SCRIPT, "item": "a1", "event": "like"}]})
    for query in ({"user": SCRIPT}, {"user": "u1"}, {"item": "a0"}, {"item": SCRIPT}, {}):
        page = client.get("/", query_string=query).get_data(as_text=True)
        assert "alert(" in page or not query
        assert "<script" not in page
        assert "<img" not in page
        assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page))


def test_nothing_comes_from_another_host_and_nothing_is_inline(client):
    page = client.get("/?user=u1").get_data(as_text=True)
    assert not re.findall(r"""(?:src|href|action)=["']?(?:https?:)?//""", page)
    assert " style=" not in page
    assert "<style" not in page
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        with client.get(path) as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize("query", ["user=%00", "item=a%0ab", "user=" + "x" * 300, "user=%ff"])
def test_a_hostile_query_is_a_page_not_an_error_of_ours(client, query):
    answer = client.get(f"/?{query}")
    assert answer.status_code in (200, 400)
    assert answer.mimetype == "text/html"
