"""Operating points: one schema, one fitter."""
