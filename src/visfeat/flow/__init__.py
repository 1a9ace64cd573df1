"""Dense optical flow: where each pixel goes until the next picture, how that is coded, what it says of motion."""
