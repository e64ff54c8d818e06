"""Warnings: scoped settings that no operator reads."""

from __future__ import annotations

from specc.diagnostics import Rule
from specc.lower.builder import Builder
from specc.syntax import ast

UNUSED_SETTING = Rule(
    "W102",
    "unused-setting",
    "a `norm`, `width` or `connect` setting changes nothing",
    "`norm batch` says which norm the operator `norm` is; it normalises nothing by itself. `width` makes\n"
    "channels of the operators after it elastic, `connect` thins out their weights. A setting ends with its braces.\n"
    "Wrong:  stem { conv(16, kernel=3); norm batch; relu }\n"
    "Right:  norm batch   ...   stem { conv(16, kernel=3); norm; relu }",
)


def warn_of_settings(b: Builder) -> None:
    """Warns of every setting that stands in a body that was lowered, and that nothing in its scope reads."""
    outside = {id(s.span) for s in b.model.names.supernet.body.statements}
    norms_read = any(isinstance(s, ast.NormSetting) and key in b.settings_read for key, s in b.settings_made.items())
    for key, setting in b.settings_made.items():
        if key not in b.settings_read and not setting.span.in_library:
            message, help = unread(setting, key in outside, norms_read)
            b.findings.report(UNUSED_SETTING, setting.span, message, help=help)


def unread(
    setting: ast.NormSetting | ast.WidthSetting | ast.ConnectSetting, outside: bool, norms_read: bool
) -> tuple[str, str]:
    """What is said of a setting that nothing reads; `outside` are those of the supernet itself, and `norms_read` says
    whether there are operators `norm` that read another one."""
    match setting:
        case ast.NormSetting(norm):
            if norms_read:
                message = f"no operator `norm` reads `norm {norm.name.name}`: all of them read another setting"
                return message, "leave it out"
            if outside:
                message = f"no operator `norm` reads `norm {norm.name.name}`, so nothing is normalised"
                return message, "write `norm` after the convolutions, or leave the setting out"
            message = f"`norm {norm.name.name}` only sets what `norm` means; nothing is normalised here"
            return message, f"write `norm` where to normalise, and `norm {norm.name.name}` before the stem"
        case ast.WidthSetting(mode):
            message = (
                f"no channels are made elastic by `width {mode.name}`: no operator in its scope has channels to set"
            )
            return message, "put it before the operators, or leave it out"
    message = f"no operator reads `connect {setting.connection.name.name}`"
    return message, "put it before the convolutions and linear layers, or leave it out"
