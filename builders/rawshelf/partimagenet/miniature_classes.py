"""The classes and parts of PartImageNet, as a writer of fake releases needs them.

Written down apart from what reads the release, so that each can be held against the other. The
classes were joined from three public sources: the class list of bytedance/OmniScient-Model (wnid,
super-category, value in the whole masks), the file names of the OOD training images in
ananthu-aniraj/pdiscoformer, and the class names of the OOD splits in kaist-cvml/part-catseg.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CLASSES", "OOD_ORDER", "PARTS", "SUPERCATEGORIES", "PartClass"]


class PartClass(NamedTuple):
    """A class of the release.

    Attributes:
        wnid: WordNet id, the name of the class.
        supercategory: What decides the parts that its objects can have.
        split: Where the OOD release has it; the Seg release has each class in every split.
        whole_id: Its value in the whole masks, 0 to 157, in an order that means nothing.
    """

    wnid: str
    supercategory: str
    split: str
    whole_id: int


# By category id, 0 to 39. "Tier" is the release's spelling.
PARTS = tuple(
    f"{supercategory} {part}"
    for supercategory, parts in (
        ("Quadruped", ("Head", "Body", "Foot", "Tail")),
        ("Biped", ("Head", "Body", "Hand", "Foot", "Tail")),
        ("Fish", ("Head", "Body", "Fin", "Tail")),
        ("Bird", ("Head", "Body", "Wing", "Foot", "Tail")),
        ("Snake", ("Head", "Body")),
        ("Reptile", ("Head", "Body", "Foot", "Tail")),
        ("Car", ("Body", "Tier", "Side Mirror")),
        ("Bicycle", ("Body", "Head", "Seat", "Tier")),
        ("Boat", ("Body", "Sail")),
        ("Aeroplane", ("Head", "Body", "Engine", "Wing", "Tail")),
        ("Bottle", ("Mouth", "Body")),
    )
    for part in parts
)
SUPERCATEGORIES = tuple(dict.fromkeys(part.split()[0] for part in PARTS))

# The order in which the OOD training file lists its images.
OOD_ORDER = (
    "Car",
    "Biped",
    "Snake",
    "Bottle",
    "Boat",
    "Reptile",
    "Fish",
    "Bird",
    "Quadruped",
    "Aeroplane",
    "Bicycle",
)

# Super-category and OOD split, then whole id and wnid of each class.
_TABLE = """\
Quadruped train
0:n02422699 9:n02124075 11:n02397096 16:n02444819 20:n02097474 26:n02114367 28:n02443114
30:n02408429 33:n02403003 40:n02090379 48:n02102040 53:n02129604 59:n02133161 61:n02128385
63:n02422106 65:n02100583 67:n02101388 77:n02510455 78:n02096585 80:n02412080 83:n02096177
86:n02437312 90:n02356798 96:n02109961 99:n02102973 109:n02091831 114:n02089867
116:n02130308 125:n02423022 135:n02098105 136:n02415577 145:n02132136 148:n02112137
149:n02441942
Quadruped val
44:n02099601 79:n02125311 88:n02134084 128:n02442845 144:n02109525
Quadruped test
10:n02085782 17:n02134418 49:n02447366 97:n02417914 100:n02092339 102:n02120079
121:n02101006
Biped train
19:n02480855 29:n02483362 32:n02484975 50:n02487347 51:n02486261 57:n02492660 64:n02481823
71:n02489166 106:n02493793 110:n02486410 133:n02488702 140:n02492035
Biped val
34:n02483708 157:n02490219
Biped test
15:n02480495 119:n02493509 152:n02494079
Fish train
18:n01443537 45:n02536864 82:n01440764 89:n02607072 141:n02071294
Fish val
5:n02514041 142:n01484850
Fish test
41:n01491361 43:n01494475 81:n02655020
Bird train
6:n02058221 22:n02006656 42:n02002724 56:n02033041 66:n02009912 68:n01855672 85:n02025239
120:n01828970 123:n01608432
Bird val
14:n02009229 151:n01614925
Bird test
37:n01824575 127:n01843065 132:n02017213
Snake train
1:n01740131 35:n01742172 47:n01749939 60:n01728572 72:n01729977 75:n01729322 94:n01756291
130:n01753488 131:n01755581 139:n01744401 143:n01735189 155:n01739381
Snake val
122:n01748264
Snake test
3:n01734418 138:n01728920
Reptile train
2:n01692333 27:n01630670 38:n01693334 74:n01641577 76:n01698640 84:n01665541 92:n01632458
95:n01669191 104:n01644900 105:n01694178 118:n01695060 126:n01687978 147:n01688243
154:n01664065
Reptile val
117:n01685808 124:n01689811
Reptile test
39:n01667778 54:n01644373 69:n01697457 113:n01667114
Car train
7:n03417042 12:n03769881 21:n02701002 25:n04252225 31:n03445924 36:n03977966 46:n03770679
55:n03100240 73:n03670208 93:n04065272 107:n03444034 115:n04465501 137:n04146614
156:n04037443
Car val
8:n02814533 112:n02930766
Car test
62:n03594945 108:n04487081 129:n04285008
Bicycle train
23:n03791053 103:n04482393 134:n03792782
Bicycle val
13:n04509417
Bicycle test
101:n02835271 146:n03785016
Boat train
24:n04612504 91:n03947888
Boat val
4:n04483307
Boat test
111:n04147183
Aeroplane train
150:n02690373
Aeroplane test
98:n04552348
Bottle train
52:n02823428 58:n03983396 153:n03937543
Bottle val
70:n04557648
Bottle test
87:n04591713
"""


def _classes() -> dict[str, PartClass]:
    classes = []
    supercategory = split = ""
    for line in _TABLE.splitlines():
        if ":" not in line:
            supercategory, split = line.split()
            continue
        for item in line.split():
            whole_id, _, wnid = item.partition(":")
            classes.append(PartClass(wnid, supercategory, split, int(whole_id)))
    classes.sort(key=lambda each: each.whole_id)
    return {each.wnid: each for each in classes}


# By wnid, in the order of the whole ids.
CLASSES = _classes()
