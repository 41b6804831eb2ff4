"""Components of ISO/IEC 29794-5:2025 that need no model beside the detector: raw value and score, clause by clause."""
