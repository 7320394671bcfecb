"""Review pages that wait without saying so, for tests that press several keys at once.

A review page takes no keys while the server needs longer than a person would wait (`SLOW` in static/desk.js). On a busy
machine that happens by chance, and keys that a test presses are refused, as they should be.
"""

from __future__ import annotations

# A test of the slow page itself sets `slowAfter` to a time of its own.
NEVER_SLOW = """
const wait = globalThis.setTimeout;
globalThis.slowAfter = 60000;
globalThis.setTimeout = (run, ms, ...rest) => wait(run, ms === 400 ? globalThis.slowAfter : ms, ...rest);
"""
