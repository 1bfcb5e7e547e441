"""The load test: parts that are measured, how they are measured, what is written down."""
