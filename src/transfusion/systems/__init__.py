"""Models of every architecture as stages: a model by its name, and the systems that can be built from it."""
