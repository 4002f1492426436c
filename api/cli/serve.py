"""recsys serve: the HTTP API and the pages, under a production server."""

from __future__ import annotations

import click

from api.cli.session import Session


@click.command(epilog="Example: recsys serve --port 8080 --workers 4")
@click.option("--host", help="Address to serve on (RECSYS_HOST, 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to serve on (RECSYS_PORT, 8000).")
@click.option("--workers", type=click.IntRange(1, 256), help="Server processes (RECSYS_WORKERS, 2).")
@click.option("--nightly", metavar="HH:MM", help="Also run `recsys nightly` every day at this local time.")
@click.pass_obj
def command(session: Session, host: str | None, port: int | None, workers: int | None, nightly: str | None) -> None:
    """Serve the HTTP API and the pages until stopped."""
    from api.schedule import clock_time
    from api.server import serve

    if nightly is not None:
        clock_time(nightly)
    session.flags |= {"host": host, "port": port, "workers": workers}
    session.store(create=True).close()  # migrated and reachable, or a clear error before any worker starts
    serve(session.settings, nightly)
