"""An environment variable is text; its field says what it should be."""

import types
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from alertd.settings.findings import Findings
from alertd.settings.report import fields_by_key, refused
from alertd.settings.source import Key, Source

_SCALARS = (bool, int, float)
_LISTS = (list, tuple, set, frozenset)

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], table: dict[str, Any], key: Key, findings: Findings) -> M | None:
    """The model, or None with every reason added to the findings."""
    try:
        return model.model_validate(_typed(table, model, key, findings.source))
    except ValidationError as error:
        refused(error, model, key, findings)
        return None


def _typed(table: dict[str, Any], model: type[BaseModel], key: Key, source: Source) -> dict[str, Any]:
    """The table with values that came from the environment turned into what their field takes.

    What does not fit is left as text, for the model to refuse.
    """
    known = fields_by_key(model)
    result = dict(table)
    for name, value in table.items():
        path = (*key, name)
        annotation = known[name].annotation if name in known else None
        if isinstance(value, dict) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
            result[name] = _typed(value, annotation, path, source)
        elif isinstance(value, str) and source.from_environment(path):
            result[name] = _fit(value, annotation)
    return result


def _fit(text: str, annotation: Any) -> Any:
    choices = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    for choice in choices:
        if (get_origin(choice) or choice) in _LISTS:
            return [part.strip() for part in text.split(",") if part.strip()]
        if choice in _SCALARS:
            try:
                return TypeAdapter(choice).validate_strings(text)
            except ValidationError:
                continue
    return text
