"""
Gateways and guests that behave as real ones do, and an account of what a right server must have stored of them.

Nothing here prints, reads a command line or touches the database: C{wifidogctl simulate} and tests of faults do.
"""
