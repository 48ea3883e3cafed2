"""From a model's refusal to problems a person can act on."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from alertd.settings.errors import nearest, secret_name, shown
from alertd.settings.findings import Findings
from alertd.settings.source import Key


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Each field under the key an operator writes: its alias where it has one."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def unknown_keys(
    table: Mapping[str, Any],
    model: type[BaseModel],
    key: Key,
    findings: Findings,
    *,
    also: tuple[str, ...] = (),
) -> None:
    """Refuse every key the model does not have, in nested tables too, naming the nearest one it has."""
    known = fields_by_key(model)
    for name, value in table.items():
        if name in known:
            inner = known[name].annotation
            if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, BaseModel):
                unknown_keys(value, inner, (*key, name), findings)
        elif name not in also:
            findings.refuse((*key, name), "there is no such key", nearest(name, [*known, *also]))


def refused(error: ValidationError, model: type[BaseModel], key: Key, findings: Findings) -> None:
    """One problem per fault pydantic found, unknown keys apart (see `unknown_keys`)."""
    for fault in error.errors(include_url=False):
        if fault["type"] == "extra_forbidden":
            continue
        loc = fault["loc"]
        path = (*key, *(str(part) for part in loc if not _is_branch(part)))
        field = _field(model, loc)
        missing = fault["type"] == "missing"
        given = None if missing or not loc or _secret(field, path) else shown(fault["input"])
        wrong = "is missing" if missing else _plain(fault["msg"])
        findings.refuse(path, wrong, (field.description if field else None) or "", given)


def _field(model: type[BaseModel], loc: tuple[int | str, ...]) -> FieldInfo | None:
    """The innermost field the location names."""
    found: FieldInfo | None = None
    current: Any = model
    for part in loc:
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            break
        found = fields_by_key(current).get(str(part)) or current.model_fields.get(str(part))
        current = found.annotation if found else None
    return found


def _secret(field: FieldInfo | None, path: Key) -> bool:
    """Whether the value must not be repeated; where in doubt, it must not."""
    kinds = str(field.annotation) if field else ""
    return secret_name(path) or any(kind.__name__ in kinds for kind in (SecretStr, SecretBytes))


def _is_branch(part: int | str) -> bool:
    """pydantic names the arm of a union or a validator in the location; nobody wrote that key."""
    return isinstance(part, str) and ("[" in part or "(" in part)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "should be")
