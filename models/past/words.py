"""What becomes of a document of the past."""

# Told of apart from what ``meta.capi.cause`` tells of an event that is refused.
VERDICTS = [
    ("ready", "To be sent"),
    ("recorded", "Handed over for sending"),
    ("on_record", "Sent or recorded before"),
    ("refused", "Not sent"),
    ("too_old", "Too old for Meta"),
    ("not_due", "Not a sale yet, or no longer"),
    ("no_pixel", "No pixel is set"),
]
