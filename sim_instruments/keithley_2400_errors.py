"""Keithley's own error numbers of a 2400 (user's manual, appendix B, table B-1) and how they are raised."""

from __future__ import annotations

from .scpi_errors import ScpiError

_TEXTS: dict[int, str] = {
    800: "Illegal with storage active",
    801: "Insufficient vector data",
    802: "OUTPUT blocked by output enable",
    803: "Not permitted with OUTPUT off",
    804: "Expression list full",
    805: "Undefined expression exists",
    806: "Expression not found",
    807: "Definition not allowed",
    808: "Expression cannot be deleted",
    809: "Source memory location revised",
    811: "Not an operator or number",
    812: "Mismatched parenthesis",
    813: "Not a number of data handle",
    814: "Mismatched brackets",
    815: "Too many parenthesis",
    816: "Entire expression not parsed",
    817: "Unknown token",
    818: "Error parsing mantissa",
    819: "Error parsing exponent",
    820: "Error parsing value",
    821: "Invalid data handle index",
    822: "Too small for sense range",
    823: "Invalid with source read-back on",
    824: "Cannot exceed compliance range",
    825: "Invalid with auto-ohms on",
    826: "Attempt to exceed power limit",
    827: "Invalid with ohms guard on",
    828: "Invalid on 1 amp range",
    830: "Invalid with INF ARM:COUNT",
}


def refused(code: int) -> ScpiError:
    """The error with Keithley's text."""
    return ScpiError(code, _TEXTS[code])
