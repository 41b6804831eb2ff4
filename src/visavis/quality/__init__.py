"""Quality: how usable each face is for recognition, measure by measure and in one fused score."""
