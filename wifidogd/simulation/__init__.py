"""
Gateways and guests that behave as real ones do, and an account of what a right server must have stored of them.

Nothing here prints or reads a command line: C{wifidogctl simulate} does, and tests of faults need neither.
"""
