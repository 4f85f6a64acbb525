"""Training: where it stands (state), its loop over epochs, what it measures, and who is told about it (callbacks)."""
