"""Which restaurants the pipeline is in charge of."""
