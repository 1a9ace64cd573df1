"""Shots: where a video is cut, and what one does with that."""

from visfeat.shots.detect import Shot, detect_shots

__all__ = ["Shot", "detect_shots"]
