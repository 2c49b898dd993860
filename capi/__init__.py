"""Meta's Conversions API in plain Python: nothing here knows of Odoo.

* ``event``: reading arguments into an event, and the event as it travels;
* ``browser``, ``privacy``, ``money``: what a caller may want to fill in an event with;
* ``client``: the requests;
* ``answer``: what Meta's answer means;
* ``quality``: what Meta thinks of the events, and ``advice``, what to do about it;
* ``schedule``: when to try again, and when no longer.
"""
