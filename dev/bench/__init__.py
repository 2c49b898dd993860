"""`make bench`: what recording and delivering cost."""
