"""Whether the CEL of a policy, or of a webhook's condition, can be read at all.

Differs: types are not checked before an expression is run.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/admissionregistration/validation/validation.go: validateValidationExpression,
        validateMatchConditionsExpression
"""

from __future__ import annotations

from typing import Final

from lifepod.api.field_errors import FieldError, invalid
from lifepod.api.objects import JsonObject

CONDITION_VARIABLES: Final = ("authorizer", "object", "oldObject", "params", "request")
POLICY_VARIABLES: Final = (*CONDITION_VARIABLES, "namespaceObject", "variables")


def expression_errors(holder: JsonObject, field: str, path: str, variables: tuple[str, ...]) -> list[FieldError]:
    """What is wrong with the expression of a field; nothing where there is none."""
    expression: str = holder.get(field) or ""
    if not expression.strip():
        return []
    from lifepod.api.cel import CelSyntaxError, compiled  # loaded with the first expression

    try:
        compiled(expression, variables)
    except CelSyntaxError as problem:
        return [invalid(f"{path}.{field}", expression, f"compilation failed: {problem}")]
    return []
