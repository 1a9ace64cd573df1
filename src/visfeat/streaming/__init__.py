"""Frames as they come: features of a camera or a pipe, recorded in a store, or watched against one."""
