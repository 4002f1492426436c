"""Reports over HTTP: newest first, damaged ones named, and no way out of their folder."""

import os
from urllib.parse import quote

import orjson
import pytest

from api.resources import reports

GOOD = {
    "schema": 1,
    "created": "2026-01-31T12:00:00+00:00",
    "models": {"als": {}, "autoencoder": {}},
    "verdict": {"text": "autoencoder is ahead", "valid": True},
}


@pytest.fixture
def folder(settings):
    settings.reports_folder.mkdir(parents=True)
    return settings.reports_folder


@pytest.fixture
def write(folder):
    def write(id_, content=GOOD):
        (folder / id_).mkdir()
        (folder / id_ / "report.json").write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))

    return write


def test_without_a_report_the_list_is_empty(client):
    assert client.get("/v1/reports").get_json() == {"total": 0, "reports": []}


def test_reports_come_newest_first_in_pages(client, write):
    ids = [f"2026010{day}T000000Z" for day in (3, 1, 2)]
    for id_ in ids:
        write(id_)
    answer = client.get("/v1/reports").get_json()
    assert answer["total"] == 3
    assert [report["id"] for report in answer["reports"]] == sorted(ids, reverse=True)
    assert answer["reports"][0] == {
        "id": "20260103T000000Z",
        "created": "2026-01-31T12:00:00+00:00",
        "models": ["als", "autoencoder"],
        "verdict": "autoencoder is ahead",
        "fault": None,
    }
    pages = [client.get(f"/v1/reports?n=1&offset={offset}").get_json()["reports"] for offset in range(4)]
    assert [page[0]["id"] for page in pages[:3]] == sorted(ids, reverse=True)
    assert pages[3] == []


def test_a_report_is_answered_byte_for_byte(client, write):
    content = orjson.dumps(GOOD, option=orjson.OPT_INDENT_2)
    write("20260101T000000Z", content)
    answer = client.get("/v1/reports/20260101T000000Z")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, content, "application/json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b'{"schema": 1', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "schema"),
        (b'{"schema": 2}', "schema"),
    ],
)
def test_a_damaged_report_is_listed_with_its_fault_and_refused(client, write, content, words):
    write("20260101T000000Z", content)
    (report,) = client.get("/v1/reports").get_json()["reports"]
    assert words in report["fault"]
    assert (report["created"], report["models"], report["verdict"]) == (None, [], None)
    answer = client.get("/v1/reports/20260101T000000Z")
    assert answer.status_code == 409
    assert words in answer.get_json(force=True)["detail"]


def test_members_of_another_kind_are_left_out(client, write):
    write("20260101T000000Z", {"schema": 1, "created": 5, "models": ["als"], "verdict": "good"})
    (report,) = client.get("/v1/reports").get_json()["reports"]
    assert report == {"id": "20260101T000000Z", "created": None, "models": [], "verdict": None, "fault": None}


def test_a_folder_without_its_file_or_with_something_else_there_is_damaged(client, folder):
    (folder / "20260101T000000Z").mkdir()
    (folder / "20260102T000000Z" / "report.json").mkdir(parents=True)
    (folder / "20260103T000000Z").mkdir()
    os.mkfifo(folder / "20260103T000000Z" / "report.json")  # reading it would wait for ever
    (folder / "20260104T000000Z").write_text("a file where a folder should be")
    listed = client.get("/v1/reports").get_json()["reports"]
    assert len(listed) == 4
    assert all(report["fault"] for report in listed)
    for report in listed:
        assert client.get(f"/v1/reports/{report['id']}").status_code in (404, 409)


def test_a_report_over_the_limit_is_not_read(client, write, monkeypatch):
    write("20260101T000000Z")
    monkeypatch.setattr(reports, "MAX_REPORT", 20)
    (report,) = client.get("/v1/reports").get_json()["reports"]
    assert "limit of 20 bytes" in report["fault"]
    assert client.get("/v1/reports/20260101T000000Z").status_code == 409


def test_a_report_that_was_mended_is_read_again(client, write, folder):
    write("20260101T000000Z", b"{")
    assert client.get("/v1/reports").get_json()["reports"][0]["fault"]
    (folder / "20260101T000000Z" / "report.json").write_bytes(orjson.dumps(GOOD))
    assert client.get("/v1/reports").get_json()["reports"][0]["fault"] is None


@pytest.mark.parametrize(
    "id_",
    [
        "..",
        "../recsys.db",
        "20260101T000000Z/..",
        "20260101T000000Z/../../outside",
        "20260101T000000Z\n",
        "20260101T000000Z\x00",
        "\uff12\uff10\uff12\uff160101T000000Z",
        ".20260101T000000Z.partial",
        "named",
        "x" * 5000,
    ],
)
def test_only_an_id_that_an_evaluation_makes_becomes_a_path(client, write, settings, id_):
    write("20260101T000000Z")
    write("named")
    (settings.home / "outside").mkdir()
    (settings.home / "outside" / "report.json").write_bytes(orjson.dumps(GOOD))
    for sent in (quote(id_, safe=""), quote(id_, safe="/.")):
        answer = client.get(f"/v1/reports/{sent}")
        assert answer.status_code == 404
        assert answer.mimetype == "application/problem+json"


def test_other_names_are_not_listed(client, write):
    write("named")
    write(".20260101T000000Z.partial")
    assert client.get("/v1/reports").get_json() == {"total": 0, "reports": []}


@pytest.mark.parametrize("query", ["n=0", "n=501", "n=x", "offset=-1", "unknown=1", "n=1&n=2"])
def test_a_wrong_page_is_refused(client, query):
    assert client.get(f"/v1/reports?{query}").status_code == 400
