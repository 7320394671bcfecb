"""Several processes may train as one; to a person only the first of them speaks."""

from __future__ import annotations

import sys
from typing import Any


def is_first() -> bool:
    """Tell whether this process is alone, or the first of those that train together."""
    # Whoever trains together has loaded accelerate; nothing else must.
    state: Any = sys.modules.get("accelerate.state")
    if state is None or not state.PartialState._shared_state:
        return True
    return bool(state.PartialState().is_main_process)
