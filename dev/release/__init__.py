"""What is checked and built before a version leaves the house."""
