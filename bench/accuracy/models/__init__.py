"""The models side by side: each learns from a data set, and is then asked."""
