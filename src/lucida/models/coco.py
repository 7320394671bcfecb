"""Names of the classes that public detectors and segmenters were trained on, where their files hold none."""

from __future__ import annotations

from typing import Final


def _names(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


# Source: COCO 2017, in its order.
COCO: Final = _names(
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter"
    " bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee"
    " skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass"
    " cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch"
    " potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink"
    " refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
)
# Numbers that COCO left out.
_UNUSED: Final = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
# Source: Pascal VOC 2012.
VOC: Final = (
    "__background__",
    *_names(
        "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant"
        " sheep sofa train tvmonitor"
    ),
)


def numbered() -> tuple[str, ...]:
    """Return the classes of COCO by their own numbers, 0 to 90."""
    rest = iter(COCO)
    return ("__background__", *("N/A" if k in _UNUSED else next(rest) for k in range(1, 91)))
