"""What the network of a recogniser may tell beside the embedding, as further outputs of its ONNX graph."""

from __future__ import annotations

from types import MappingProxyType

from visavis.runtime.attention import ATTENTION

RECOGNIZABILITY = "recognizability"
"""Name of the output ``(batch,)`` of networks that were trained to tell how recognisable a face is."""
TOLD = MappingProxyType({ATTENTION: (1,), RECOGNIZABILITY: ()})
"""Name of the output -> shape of a row where no row was told, and so no length is known."""
