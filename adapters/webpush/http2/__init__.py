"""HTTP/2 as a client of push services needs it: many small POSTs, answers of which only the head is read.

No I/O happens here. `Connection` is one connection; everything else is its parts.
"""

from adapters.webpush.http2.answers import Answers
from adapters.webpush.http2.connection import Connection
from adapters.webpush.http2.request import Answered, Outcome, Profile, Request

__all__ = ["Answered", "Answers", "Connection", "Outcome", "Profile", "Request"]
