"""
Clients as a hotspot has them, and worse: they vanish, stall, or never read.

Only for a server on this machine, in numbers and for times that are bounded; C{python -m benchmarks.loads --help}.
"""
