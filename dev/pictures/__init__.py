"""The pictures of the manual and the store page."""
