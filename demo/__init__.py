"""A pretend hospital around the gateway, for `make demo`: an EHR, its authorization server and three sample feeds.

Everything listens on loopback and forgets on exit. Nothing here is part of the product or goes into the wheel; nothing
here should be copied into a deployment: the login asks for no password.
"""
