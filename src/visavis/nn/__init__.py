"""Networks in torch: backbones, heads, layers, adapters."""
