"""The simulated internet: a study's claims plant their own test data, in each service's wire format."""
