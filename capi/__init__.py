"""Meta's Conversions API in plain Python: no framework, no database.

* ``event``: reading arguments into an event, and the event as it travels;
* ``weaknesses``: what Meta takes of it but can do little with;
* ``browser``, ``privacy``, ``money``: what a caller may want to fill in an event with;
* ``client``: the requests;
* ``graph_errors`` and ``answer``: what Meta's answer means;
* ``quality``: what Meta thinks of the events, and ``advice``, what to do about it;
* ``schedule``: when to try again, and when no longer.
"""
