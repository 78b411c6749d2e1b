"""Model bundles are loaded and run: slices become tokens, tokens a reading, a reading sentences with their evidence."""
