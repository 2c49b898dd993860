"""What all rooms share: plain modules, no models."""
