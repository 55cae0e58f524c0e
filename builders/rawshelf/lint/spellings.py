"""Feature types in one form, whoever wrote them: a card, Parquet metadata, or an Arrow schema.

The form is a nested dict: ``{"value": "int64"}``, ``{"label": [names]}``, ``{"list": item,
"length": -1}``, ``{"large_list": item}``, ``{"struct": {name: item}}``, and ``{"class": "Image",
"options": {...}}`` for the other classes of `datasets`. Values are named as Arrow names them:
``float`` is what `datasets` calls ``float32``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

Form = dict[str, Any]
_PATH_AND_BYTES = {"struct": {"bytes": {"value": "binary"}, "path": {"value": "string"}}}
_UNKNOWN: Form = {"class": None}
# Stored as encoded bytes with a file name (datasets, the `pa_type` of each class).
_ENCODED = {"Image", "Audio", "Video", "Pdf"}
_LISTS = ("large_list", "list", "sequence")


class SpellingError(ValueError):
    """A feature that `datasets` cannot read; the message says which."""


def from_card(features: object) -> Form:
    """Return the form of a card's ``features``, a list of named types.

    Raises:
        SpellingError: If `datasets` could not read it.
    """
    return {"struct": _card_fields(features)}


def from_metadata(features: object) -> Form:
    """Return the form of the features in the schema metadata of a Parquet file.

    Raises:
        SpellingError: If `datasets` could not read it.
    """
    if isinstance(features, list) and len(features) == 1:
        return {"list": from_metadata(features[0]), "length": -1}
    if not isinstance(features, dict):
        raise SpellingError(f"a type written as {features!r}")
    kind = features.get("_type")
    if kind is None or isinstance(kind, dict):
        # A struct has no _type; a column of that name is a feature itself.
        return {"struct": {name: from_metadata(item) for name, item in features.items()}}
    return _metadata(str(kind), {key: item for key, item in features.items() if key != "_type"})


def _metadata(kind: str, options: dict[str, Any]) -> Form:
    if kind == "Value":
        return _value(options.get("dtype"))
    if kind == "ClassLabel":
        return {"label": options.get("names")}
    if kind in {"List", "Sequence"}:
        return _list(from_metadata(options.get("feature")), options.get("length", -1), kind)
    if kind == "LargeList":
        return {"large_list": from_metadata(options.get("feature"))}
    return _other(kind, options)


def from_arrow(kind: pa.DataType) -> Form:
    """Return the form of an Arrow type."""
    if pa.types.is_struct(kind):
        fields = (kind.field(number) for number in range(kind.num_fields))
        return {"struct": {field.name: from_arrow(field.type) for field in fields}}
    if pa.types.is_fixed_size_list(kind):
        return {"list": from_arrow(kind.value_type), "length": kind.list_size}
    if pa.types.is_large_list(kind):
        return {"large_list": from_arrow(kind.value_type)}
    if pa.types.is_list(kind):
        return {"list": from_arrow(kind.value_type), "length": -1}
    return {"value": str(kind)}


def as_arrow(form: Form) -> Form:
    """Return the form of the Arrow type that stores a feature.

    It is unknown for classes that Arrow extends, such as Array2D, and differs from nothing then.
    """
    if "label" in form:
        return {"value": "int64"}
    if form.get("class") in _ENCODED:
        return _PATH_AND_BYTES
    if "struct" in form:
        return {"struct": {name: as_arrow(item) for name, item in form["struct"].items()}}
    for key in ("list", "large_list"):
        if key in form:
            return {**form, key: as_arrow(form[key])}
    return _UNKNOWN if "class" in form else form


def differences(found: Form, expected: Form, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield where two forms differ: path, found, expected."""
    if found == _UNKNOWN:
        return
    if "struct" in found and "struct" in expected:
        ours, theirs = found["struct"], expected["struct"]
        if list(ours) != list(theirs):
            yield path, f"fields {', '.join(ours)}", f"fields {', '.join(theirs)}"
        for name in ours:
            if name in theirs:
                inner = f"{path}/{name}" if path else name
                yield from differences(ours[name], theirs[name], inner)
        return
    for key in ("list", "large_list"):
        if key in found and key in expected:
            if found.get("length") != expected.get("length"):
                yield path, show(found), show(expected)
            yield from differences(found[key], expected[key], path)
            return
    if found != expected:
        yield path, show(found), show(expected)


def show(form: Form) -> str:
    """Return a form in a few words."""
    if "label" in form:
        names = form["label"] if isinstance(form["label"], list) else []
        return f"ClassLabel of {len(names)}: {', '.join(map(str, names))}"
    if "struct" in form:
        return f"struct of {', '.join(form['struct'])}"
    if "list" in form:
        length = "" if form["length"] == -1 else f", length {form['length']}"
        return f"list of {show(form['list'])}{length}"
    if "large_list" in form:
        return f"large_list of {show(form['large_list'])}"
    if "value" in form:
        return str(form["value"])
    return " ".join(map(str, (form["class"], *form.get("options", {}).values())))


def newer(features: object, path: str = "") -> Iterator[str]:
    """Yield the paths of lists in a card that `datasets` before 4.0 reads otherwise or not at all.

    ``list:`` with a length loses the length there, and one of plain values becomes a Python list.
    """
    if isinstance(features, list):
        for number, item in enumerate(features):
            name = item.get("name", number) if isinstance(item, dict) else number
            yield from newer(item, f"{path}/{name}" if path else str(name))
    elif isinstance(features, dict):
        if "list" in features and ("length" in features or not isinstance(features["list"], list)):
            yield path
        for key in (*_LISTS, "struct", "dtype"):
            if isinstance(features.get(key), (list, dict)):
                yield from newer(features[key], path)


def _card_fields(features: object) -> dict[str, Form]:
    if not isinstance(features, list):
        raise SpellingError(f"{features!r} in place of a list of columns")
    found: dict[str, Form] = {}
    for item in features:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise SpellingError(f"{item!r} without a name")
        if item["name"] in found:
            raise SpellingError(f"the name {item['name']} twice")
        found[item["name"]] = _card({key: item[key] for key in item if key != "name"})
    return found


def _card(feature: object) -> Form:
    if isinstance(feature, str):
        return _value(feature)
    if isinstance(feature, list):
        return {"struct": _card_fields(feature)}
    if not isinstance(feature, dict) or not feature:
        raise SpellingError(f"a type written as {feature!r}")
    kind, inner = next(iter(feature.items()))
    if kind in {"list", "sequence"}:
        return _list(_card(inner), feature.get("length", -1), kind)
    if kind in _CARD_TYPES:
        return _CARD_TYPES[kind](inner)
    if not isinstance(kind, str) or not isinstance(inner, dict):
        raise SpellingError(f"the type {kind!r}")
    return _other("".join(part.title() for part in kind.split("_")), inner)


def _value(dtype: object) -> Form:
    if not isinstance(dtype, str):
        raise SpellingError(f"a dtype written as {dtype!r}")
    try:
        return {"value": str(pa.type_for_alias(dtype))}
    except ValueError:
        pass
    if dtype.isidentifier() and dtype in {"image", "audio", "video", "pdf", "nifti", "json"}:
        return _other(dtype.title(), {})
    # Types with parameters are spelled alike by both: timestamp[us, tz=UTC], decimal128(9, 2).
    return {"value": dtype}


def _list(item: Form, length: object, kind: str) -> Form:
    if not isinstance(length, int):
        raise SpellingError(f"a length of {length!r}")
    # The old constructor turns a list of structs into a struct of lists; `list` does not.
    if kind in {"sequence", "Sequence"} and "struct" in item:
        fields = item["struct"].items()
        return {"struct": {name: {"list": each, "length": length} for name, each in fields}}
    return {"list": item, "length": length}


def _names(value: object) -> list[str]:
    names = value.get("names") if isinstance(value, dict) else None
    if isinstance(names, dict):
        by_index = {str(index): name for index, name in names.items()}
        if set(by_index) != {str(index) for index in range(len(names))}:
            raise SpellingError("a class_label whose indices have gaps")
        names = [by_index[str(index)] for index in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SpellingError(f"a class_label without names: {value!r}")
    return names


def _other(kind: str, options: dict[str, Any]) -> Form:
    stated = {key: value for key, value in options.items() if value is not None}
    # Apart: one may be named as a key of the form is, a struct for example.
    return {"class": kind, "options": stated} if stated else {"class": kind}


_CARD_TYPES: dict[object, Callable[[object], Form]] = {
    # A dtype is a name, or a type in full.
    "dtype": _card,
    "struct": lambda inner: {"struct": _card_fields(inner)},
    "large_list": lambda inner: {"large_list": _card(inner)},
    "class_label": lambda inner: {"label": _names(inner)},
}
