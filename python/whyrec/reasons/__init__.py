"""From attributions to what a person reads: the last room before the SDK hands results out."""
