"""Detector, aligner, embedder and calibration put together: what one deploys."""
