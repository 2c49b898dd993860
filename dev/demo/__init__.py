"""A shop that a visitor buys in, and the events that tell Meta of it."""
