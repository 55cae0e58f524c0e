"""The files of a small SPair-71k release, and the names of some that tests change."""

from rawshelf.spair71k.miniature import CATEGORIES, members

FILES = dict(members(categories=CATEGORIES[:2], side=48))
IMAGE = next(name for name in FILES if name.startswith("ImageAnnotation/"))
PAIR = next(name for name in FILES if name.startswith("PairAnnotation/"))
