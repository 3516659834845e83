"""Frames Labeled In Cinema."""
