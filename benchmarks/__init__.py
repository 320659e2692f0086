"""How fast the gateway is, beside the least that a gateway can cost. `python -m benchmarks.run`; not in the wheel."""
