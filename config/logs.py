"""Log lines: JSON in production, readable in development, without secrets in either."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from web.trace import current_trace_id

# Query strings carry signatures, PostgreSQL's details carry rows, and a token anywhere is one too many.
# Every part reads a text once, however long it is: a pattern that looked back would hold all threads up.
SECRETS = re.compile(
    r"(?P<query>(?<=\?)[^\s?]*oauth_\S*)|(?P<bearer>(?i:bearer)\s+\S+)|(?P<jwt>(?<![\w-])eyJ[\w-]{8,}+\.[\w-]++\.[\w-]++)"
    r"|(?P<webhook>whsec_\S+)|(?P<detail>DETAIL:.*)|(?P<email>(?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.-]++)"
    r"|(?P<pair>(?i:password|secret|oauth_signature|oauth_nonce)[\"']?\s*+[=:]\s*+[\"']?[^\s\"',&}]+)"
)
LONGEST = 64 * 1024  # characters of one line: somebody else's text may be of any length


def redact(text: str) -> str:
    """The text with everything that looks like a secret, or like somebody, struck out; of a very long one the start."""
    cut = f"… and {len(text) - LONGEST:,} characters more" if len(text) > LONGEST else ""
    return SECRETS.sub("[redacted]", text[:LONGEST]) + cut


class PlainLines(logging.Formatter):
    """`12:00:00 INFO outbox.delivery message (trace)`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, tz=UTC)
        trace = current_trace_id()
        text = record.getMessage() + (f" [{trace}]" if trace != "-" else "")
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return redact(f"{at:%H:%M:%S} {record.levelname} {record.name} {text}")


class JSONLines(logging.Formatter):
    """One JSON object per line, with the trace id."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, tz=UTC)
        line = {"at": at.isoformat(), "level": record.levelname, "logger": record.name}
        line |= {"message": redact(record.getMessage()), "trace_id": current_trace_id()}
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
