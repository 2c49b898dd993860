"""Developer tooling: what `make` runs. Standard library only."""
