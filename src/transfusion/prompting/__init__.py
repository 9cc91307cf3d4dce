"""Chat models that are shown guidelines: what they are asked about a text, and how their answers are read."""
