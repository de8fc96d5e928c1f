"""SciPy's functions, where they come to the engine; its own in their place, where they do not."""
