"""Side-by-side timing against what people would use instead."""
