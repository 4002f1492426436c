"""The report's plots: one file a plot, each a function from a piece of the report's dictionary to SVG text."""
