"""The figures that SPair-71k's paper and README publish about its pairs. Literals only.

Columns of numbers are in the order of the splits: train, validation, test.
"""

from __future__ import annotations

# Table 1: pairs by code, the code 0 first, for each split.
TABLE_1 = {
    "viewpoint_variation": ((26466, 21646, 5228), (2862, 2016, 506), (6654, 4474, 1106)),
    "scale_variation": ((29248, 16184, 7908), (2880, 1570, 934), (6458, 3794, 1982)),
    "truncation": (
        (29184, 9796, 9796, 4564),
        (2744, 1047, 1047, 546),
        (7050, 2166, 2166, 852),
    ),
    "occlusion": (
        (35330, 7737, 7737, 2536),
        (3760, 722, 722, 180),
        (8166, 1806, 1806, 456),
    ),
}

# Table 2: pairs by category, for each split. The paper spells four of the names differently.
TABLE_2 = {
    "aeroplane": (2924, 304, 690),
    "bicycle": (2946, 334, 650),
    "bird": (3080, 272, 702),
    "boat": (2936, 302, 702),
    "bottle": (2448, 374, 870),
    "bus": (2708, 250, 644),
    "car": (2960, 274, 564),
    "cat": (3306, 272, 600),
    "chair": (3060, 306, 646),
    "cow": (3118, 272, 640),
    "dog": (3192, 306, 600),
    "horse": (3136, 306, 600),
    "motorbike": (3180, 238, 702),
    "person": (3066, 306, 650),
    "pottedplant": (2446, 380, 862),
    "sheep": (3140, 240, 664),
    "train": (2752, 342, 756),
    "tvmonitor": (2942, 306, 692),
}

SMALL = (10_652, 1_070, 2_438)  # pairs of the small layout [README of the release]
IMAGES_PER_CATEGORY = 100  # [README of the release; devkit/verify_dataset.py asserts it]
