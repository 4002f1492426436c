"""Every limit on what one request may ask for; an answer that refuses names the limit.

What a record may hold stands in data.records.
"""

from __future__ import annotations

DEFAULT_N = 10
MAX_N = 500
MAX_OFFSET = 10_000
MAX_BATCH = 1_000  # events, items or history entries in one body
MAX_EXCLUDE = 500
MAX_EXPLAINED = 50  # items of an answer with reasons: each history item is left out once for all of them
MAX_USERS = 100  # of one batch of recommendations
MAX_BODY = 2 * 1024 * 1024  # bytes: 1,000 events of the longest ids fit
MAX_QUERY = 65_536  # bytes of a query string; servers in front allow less
MAX_DEPTH = 64  # levels of attributes
MAX_BODY_DEPTH = MAX_DEPTH + 3  # of a body: those of a batch stand in an object of a list of an object
MAX_KEYS = 1_000  # of one JSON object
MAX_VALUE = 1e9  # of an event, either sign: sums of many still fit 32-bit floats
MAX_ERRORS = 1_000  # named in one answer: every event of the largest batch
FUTURE_DAYS = 1  # how far ahead of this clock an event may claim to be
LOCK_SECONDS = 1.5  # to wait for another writer; then 503, within 2 s all in all
PATIENCE_SECONDS = 1.5  # with a database that does not answer at all, and for the whole of a write to a slow one
RETRY_SECONDS = 2
