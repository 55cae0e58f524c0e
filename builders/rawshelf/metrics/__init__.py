"""Metrics as the papers define them, every convention a named argument."""
