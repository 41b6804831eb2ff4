"""Drawing a stored result: plots as SVG and one self-contained HTML page."""
