"""The keeper of one instance: a small process outside it, of the standard library alone.

It makes the world of the instance, starts its first process, and does what it is asked over a
socket in the instance's folder. It lives as long as the instance runs, whatever happens to the
cloud's own process.
"""
