"""What `prober` says in a bench file: station, probe card, how the wafer lies. All numbers are assumptions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CardSpec(BaseModel):
    """A probe card.

    Attributes:
        needed_um: overtravel from which on contacts are as good as they get; with less they are worse.
        spread: standard deviation of the logarithm of a contact's resistance from one touch-down to the next.
        dirty_rate: probability that a contact is dirty this time; `dirty_factor` is how much higher it then is.
        open_share: share of the dirty contacts that are none at all.
        wear_touchdowns: so many touch-downs of the card double its contacts' resistance.
        debris_touchdowns: so many touch-downs without cleaning double it too, and the probability of dirt.
        marks: so many touch-downs on the same pads double the probability of a dirty contact.
        reach_um: a tip that is further from the middle of its pad than this misses it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    needed_um: float = Field(default=30.0, ge=0)
    spread: float = Field(default=0.1, ge=0)
    dirty_rate: float = Field(default=2e-4, ge=0, le=1)
    dirty_factor: float = Field(default=100.0, ge=1)
    open_share: float = Field(default=0.25, ge=0, le=1)
    wear_touchdowns: float = Field(default=2e5, gt=0)
    debris_touchdowns: float = Field(default=1e3, gt=0)
    marks: float = Field(default=3.0, gt=0)
    reach_um: float = Field(default=25.0, gt=0)


class StationSpec(BaseModel):
    """A probe station.

    Attributes:
        axes: where its die numbers grow, looking at the wafer.
        home: die that it stands on at first, which its stage counts from.
        shift: what its numbers are beyond those of the wafer's description.
        notch_degrees: clockwise from the top.
        diameter_mm: of the wafer itself: dies that reach beyond it are edge dies, half of whose pads are missing.
        skip: dies, in its own numbers, that are not on its route.
        subsites_um: where the subsites of each die are, from the first.
        overtravel_um, is_overtravel_on: as it was left; `most_overtravel_um` is what it takes.
        misalignment_um: error of the wafer's alignment before it is aligned.
        alignment_um: standard deviation of what is left after.
        cleaning_um, cleaning_seconds: where the cleaning pad is from the home die, to the right and up, and what
            cleaning takes.
        step_seconds, metres_per_second: what a step takes, and how fast the stage is.
        height_seconds, align_seconds: what touching down or lifting off takes, and aligning.
        kelvin: of the chuck at first.
        kelvin_per_second: how fast it heats and cools.
        expansion_per_kelvin: of the wafer, from where it was aligned.
        soak_seconds: as it was left.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axes: Literal["UR", "UL", "DR", "DL"] = "UR"
    home: tuple[int, int] = (0, 0)
    shift: tuple[int, int] = (0, 0)
    notch_degrees: int = Field(default=180, ge=0, lt=360)
    diameter_mm: float | None = Field(default=None, gt=0)
    skip: list[tuple[int, int]] = []
    subsites_um: list[tuple[float, float]] = Field(default=[(0.0, 0.0)], min_length=1, max_length=256)
    overtravel_um: float = Field(default=40.0, ge=0)
    is_overtravel_on: bool = True
    most_overtravel_um: float = Field(default=300.0, ge=0)
    misalignment_um: tuple[float, float] = (0.0, 0.0)
    alignment_um: float = Field(default=1.0, ge=0)
    cleaning_um: tuple[float, float] = (-180e3, 0.0)
    cleaning_seconds: float = Field(default=30.0, ge=0)
    step_seconds: float = Field(default=0.4, ge=0)
    metres_per_second: float = Field(default=0.05, gt=0)
    height_seconds: float = Field(default=0.3, ge=0)
    align_seconds: float = Field(default=45.0, ge=0)
    kelvin: float = Field(default=298.15, gt=0)
    kelvin_per_second: float = Field(default=0.2, gt=0)
    expansion_per_kelvin: float = Field(default=2.6e-6, ge=0)
    soak_seconds: float = Field(default=60.0, ge=0)
    card: CardSpec = CardSpec()
