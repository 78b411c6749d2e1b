"""Series of files become ordered slices with geometry in mm and stored values that mean HU or intensities."""
