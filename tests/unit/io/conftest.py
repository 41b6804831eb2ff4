"""The generator of malformed inputs lives in tests/, for every suite that wants it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
