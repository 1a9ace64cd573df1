"""From the rows of a video to fewer: means, VLAD, attention, LSTMs; pure functions over rows and their times."""
