"""Replay: runs compiled detections as searches over past windows, and keeps what they find."""
