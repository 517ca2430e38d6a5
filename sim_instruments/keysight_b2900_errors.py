"""Errors of a B2900A: the SCPI ones in the maker's words, and its own (SCPI Command Reference, chapter 5)."""

from __future__ import annotations

from .scpi_errors import ERROR_TEXTS, ScpiError

WRONG_CHANNELS = -220
BUSY = 203
LOW_WITH_OUTPUT_ON = 211
OUTPUT_MUST_BE_ON = 212
OUTPUT_MUST_BE_OFF = 213
DISPLAY_MUST_BE_ON = 214
NOTHING_SAVED = 290
TEXTS: dict[int, str] = {
    -220: "Parameter error; Invalid channel list",
    -222: "Data out of range",
    -241: "Hardware missing; To recover channel, execute *TST?",
    103: "Data load failed",
    104: "Data save failed",
    201: "Not able to perform requested operation",
    203: "Not able to execute while instrument is measuring",
    210: "Operation is not completed",
    211: "Cannot switch low sense terminal with output on",
    212: "Output relay must be on",
    213: "Output relay must be off",
    214: "Display must be enabled",
    290: "Not able to recall state: it is empty",
    301: "Emergency; Overvoltage status detected",
    302: "Emergency; Overcurrent status(245 V) detected",
    303: "Emergency; Overcurrent status(35 V) detected",
    304: "Emergency; Over range current status detected",
    305: "Emergency; High temperature1 status detected",
    331: "Emergency; Interlock open detected",
    700: "ProgramMemory; Program size overflow",
    702: "ProgramMemory; Invalid variable number",
    703: "ProgramMemory; Query command is not supported",
    704: "ProgramMemory; Program is not selected",
    705: "ProgramMemory; Cannot execute program while another program is running",
    708: "ProgramMemory; Cannot continue program while program is running",
    709: "ProgramMemory; Cannot continue program while program is stopped",
    710: "ProgramMemory; Program line is too long",
    711: "ProgramMemory; Variable length is too long",
    712: "ProgramMemory; Unsupported command is used in program",
    713: "ProgramMemory; Cannot set multiple INIT commands in program line",
    715: "ProgramMemory; Invalid character in program name",
    716: "ProgramMemory; Program count overflow",
    801: "Calculate; Expression list full",
    802: "Calculate; Expression cannot be deleted",
    803: "Calculate; Missmatched parenthesis",
    804: "Calculate; Not a number of data handle",
    805: "Calculate; Mismatched brackets",
    806: "Calculate; Entire expression not parsed",
    807: "Calculate; Not an operator or number",
    812: "Calculate; Invalid data handle index",
    813: "Calculate; Divided by zero",
    814: "Calculate; Log of zero",
    817: "Calculate; Invalid channel number is used",
    818: "Calculate; Null expression",
    819: "Calculate; Null expression in parentheses",
    820: "Calculate; Null expression in brackets",
    821: "Calculate; Fed disabled MATH for limit test",
    824: "Calculate; Invalid character in math name",
    861: "Trace; Illegal with storage active",
    862: "Trace; No trace data",
}
"""The maker's own spelling is kept, as programs compare with it."""


def refusal(code: int, detail: str = "") -> ScpiError:
    """An error in the maker's words, followed by a detail such as a channel, if there is one."""
    text = TEXTS.get(code) or ERROR_TEXTS[code]
    return ScpiError(code, f"{text}; {detail}" if detail else text)


def told(error: ScpiError) -> str:
    """How SYSTem:ERRor? answers: a sign before every number, and the maker's text."""
    standard = ERROR_TEXTS.get(error.code)
    text = TEXTS.get(error.code, error.text) if error.text == standard else error.text
    return f'{error.code:+d},"{text}"'
