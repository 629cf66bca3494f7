"""CEL, the language of rules in CustomResourceDefinitions, webhooks' match conditions and ValidatingAdmissionPolicies.

`compiled(text, variables).run(values)` is all there is to it; read `program.py` first. Pure, and bounded: an expression that costs
too much ends with `OverBudget`.
"""

from lifepod.api.cel.program import Program, Scope, compiled
from lifepod.api.cel.values import CelError, CelSyntaxError, OverBudget, UInt, Value

__all__ = ["CelError", "CelSyntaxError", "OverBudget", "Program", "Scope", "UInt", "Value", "compiled"]
