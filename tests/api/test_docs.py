"""The page of the API: made of the document, whole, from no other host, readable on a phone and in the dark."""

import re
import threading

import pytest
from werkzeug.serving import make_server

from tests.recsys.reports.test_browser import CHROMIUM, CONTRAST


def test_every_operation_of_the_document_is_on_the_page(client):
    document = client.get("/openapi.json").get_json()
    page = client.get("/docs").get_data(as_text=True)
    for path, methods in document["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
            for parameter in operation.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in page
    for status in document["components"]["responses"]:
        assert f"<code>{status}</code>" in page


def test_anchors_are_unique_and_every_link_leads_somewhere(client):
    page = client.get("/docs").get_data(as_text=True)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"', page):
        assert target in ids
    for path in re.findall(r'(?:href|src)="(/[^"#]*)"', page):
        with client.get(path) as answer:
            assert answer.status_code == 200, path


def test_nothing_comes_from_another_host_and_nothing_runs(client):
    answer = client.get("/docs")
    page = answer.get_data(as_text=True)
    assert answer.mimetype == "text/html"
    assert "style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]  # default-src 'none' holds
    assert not re.findall(r"""(?:src|href|action)=["']?(?:https?:)?//""", page)
    assert "<script" not in page
    assert " style=" not in page
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page))


def test_a_hostile_host_is_escaped_or_refused(client):
    answer = client.get("/docs", headers={"Host": '127.0.0.1:80"><script>alert(1)</script>'})
    assert answer.status_code in (400, 403) or "<script" not in answer.get_data(as_text=True)


@pytest.fixture
def address(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the page was not looked at")
def test_the_page_is_readable_wide_and_narrow_by_day_and_by_night(address):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, scheme in ((1300, "light"), (1300, "dark"), (400, "light"), (400, "dark")):
            window = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            wrong, asked = [], []
            window.on("console", lambda message, wrong=wrong: wrong.append(message.text))
            window.on("request", lambda request, asked=asked: asked.append(request.url))
            window.goto(f"{address}/docs")
            assert wrong == []
            assert all(url.startswith(address) for url in asked)
            window.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
            assert window.evaluate("document.documentElement.scrollWidth") <= width
            assert window.evaluate(CONTRAST) == []
            window.close()
        browser.close()
