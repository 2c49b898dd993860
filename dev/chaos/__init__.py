"""`make chaos`: what is left when everything breaks."""
