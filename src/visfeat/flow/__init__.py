"""Dense optical flow: where each pixel goes from one picture to the next, how it is coded, and what it says of motion."""
