"""The words that every layer may know: who asks, for what, for which purpose, and what a verdict is. Only parsing."""
