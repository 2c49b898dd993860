"""A local stand-in for Meta's Conversions API and what it thinks of the events.

It knows ``POST /{version}/{pixel}/events`` and ``GET /{version}/dataset_quality``.

It answers in Meta's shapes, is as strict as Meta is known to be, and fails on demand.
It shares no code with the addon, so that a bug there cannot hide here.

In a test::

    with GraphSandbox() as graph:
        graph.fail_next(error(190), times=2)
        ...                              # post to graph.url with graph.token
        graph.wait_for(lambda: len(graph.events) == 3)

As a process, with a page to read at ``/`` and a control interface under ``/_sandbox``::

    python3 -m dev.sandbox --port 8099 --pixel 1029384756102938
    curl -d '{"fault": "error", "code": 2, "times": 3}' localhost:8099/_sandbox/faults

=======  ======================  ======================================================
method   path                    meaning
=======  ======================  ======================================================
GET      ``/``                   what was received, newest first; all with ``?all=1``
GET      ``/_sandbox/events``    accepted events, ``?since=index&limit=1000``
GET      ``/_sandbox/requests``  requests, the same paging; tokens are blanked
GET      ``/_sandbox/browser``   what the stand-in for Meta's Pixel has sent
GET      ``/_sandbox/faults``    what is scripted at the moment
POST     ``/_sandbox/faults``    one order or a list of them, see :meth:`Faults.order`
POST     ``/_sandbox/pixels``    ``{"pixel_id": …, "tokens": […]}``; ``[]`` revokes,
                                 ``null`` removes the pixel
POST     ``/_sandbox/clock``     ``{"behind": seconds}``: Meta's clock, told in ``Date``
POST     ``/_sandbox/app``       ``{"secret": …}``: calls need proof of it; ``null`` ends it
POST     ``/_sandbox/clear``     forget events and requests
GET      ``/en_US/fbevents.js``  the stand-in for Meta's Pixel itself
GET      ``/tr/``                where it sends to, ``?id=pixel&ev=name&eid=event_id``
=======  ======================  ======================================================

A comment after a rule names its source. "docs" are Meta's pages under
https://developers.facebook.com/documentation/ads-commerce/conversions-api/; "seen" was
observed in answers of the real service; "reported" is said by third parties only;
"ours" is a choice made here because nothing is known.
"""

from .faults import (
    Fault,
    empty_body,
    error,
    error_without_code,
    hang,
    http,
    missing_events_received,
    missing_messages,
    redirect,
    reset,
    reset_after_accept,
    short_events_received,
    slow,
    throttled,
    truncated_json,
    with_headers,
)
from .records import ReceivedEvent, ReceivedRequest
from .rules import DAY, EMPTY_HASH
from .server import GraphSandbox, new_token
