"""An AWS to rehearse against, on loopback, whose instances really run.

It shares no code with what it tests, and is started as a process of its own.
"""
