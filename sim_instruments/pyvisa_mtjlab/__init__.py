"""PyVISA backend `mtjlab`: `ResourceManager("passive15@mtjlab")` opens a simulated bench in place of a real one."""

from .library import MtjlabVisaLibrary

WRAPPER_CLASS = MtjlabVisaLibrary

__all__ = ["WRAPPER_CLASS", "MtjlabVisaLibrary"]
