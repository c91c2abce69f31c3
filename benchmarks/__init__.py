"""Measurements of wifidogd beside others, and of how far it carries; C{make bench} runs them all."""
