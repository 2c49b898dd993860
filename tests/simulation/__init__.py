"""Delivery in a world of virtual time: the real core, and a Meta that misbehaves."""
