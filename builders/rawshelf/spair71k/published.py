"""What the paper publishes about PCK on SPair-71k: facts, to set beside a result.

Min et al., arXiv 1908.10543, Table 4: PCK in per cent at alpha 0.1 of the box, on the test pairs.
"""

from __future__ import annotations

SOURCE = "arXiv 1908.10543, Table 4"
SPLIT = "test"
ALPHA = 0.1

# The source keypoints taken as the prediction. In the order of the columns: viewpoint easy, medium,
# hard; scale easy, medium, hard; truncation none, source, target, both; occlusion the same; all.
# In the codes of the release, source and target are exchanged: the same pairs give 3.5 and 4.8 for
# truncation, 5.1 and 4.0 for occlusion.
IDENTITY = (7.3, 3.7, 2.6, 7.0, 4.3, 3.3, 6.5, 4.8, 3.5, 5.0, 6.1, 4.0, 5.1, 4.6, 5.6)

# The last column, all pairs.
AUTHORS_MODELS = {
    "CNNGeo": 18.1,
    "A2Net": 20.1,
    "WeakAlign": 21.1,
    "NC-Net": 26.4,
    "HPF-res50": 27.2,
    "HPF-res101": 28.2,
}
FINETUNED = {"CNNGeo": 20.6, "A2Net": 22.3, "WeakAlign": 20.9, "NC-Net": 20.1}
