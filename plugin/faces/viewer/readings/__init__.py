"""What a page says of FHIR trees: pure readings, without Flask, network or wording. See `result.Result`."""
