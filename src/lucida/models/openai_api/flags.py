"""The options of every verb that may ask a model behind an address: their types and their help, in one place."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Group, Parameter

_GROUP: Final = Group("Models behind an address", sort_key=1)

MaxCost = Annotated[
    float | None,
    Parameter(
        group=_GROUP,
        help="US dollars that may be spent at most: nothing is asked that could cost more. `label`, called again with"
        " more, goes on where it stopped.",
    ),
]
Price = Annotated[
    str | None,
    Parameter(
        group=_GROUP, help='"IN/OUT", US dollars per million tokens, for a model whose price is not in the table.'
    ),
]
Workers = Annotated[int, Parameter(group=_GROUP, help="Requests at a time.")]
Timeout = Annotated[
    float | None,
    Parameter(
        group=_GROUP,
        help="Seconds that one request may take; 120 where it is left out, and 600 of a model on this machine. Which"
        " address is asked is part of the model's name, api:MODEL@URL, or LUCIDA_API_URL.",
    ),
]
