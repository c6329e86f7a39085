"""Tables of cards about what a driver does over time: [filter] and [events]."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.config import Schema

# Of a card that states no filter: our choice, said wherever it counts.
WINDOW_S, ON_SHARE, OFF_SHARE, HMI_S = 0.5, 0.7, 0.3, 0.3
Share = Annotated[float, Field(ge=0, le=1)]
State = Literal["eyes_closed", "off_road", "phone"]


class FilterTable(Schema):
    """[filter]: how the answers to single frames become a state of the driver.

    window_s, on_share, off_share, missing: of harness.events.filters.StateFilter. hmi_s: from the state to the warning.
    tells: the states that the model tells, where the truth of its data set does not say it. gate: a scenario time that
    is not kept is red; otherwise it is advice.
    """

    window_s: Annotated[float, Field(gt=0, le=60)] = WINDOW_S
    on_share: Share = ON_SHARE
    off_share: Share = OFF_SHARE
    missing: Literal["absent", "skipped"] = "absent"
    hmi_s: Annotated[float, Field(ge=0, le=60)] = HMI_S
    tells: tuple[State, ...] = ()
    gate: bool = False

    @model_validator(mode="after")
    def _begins_above_its_end(self) -> FilterTable:
        if self.off_share >= self.on_share:
            raise ValueError(
                f"filter: a state cannot begin at a share of {self.on_share:g} and end at {self.off_share:g}: "
                "give off_share below on_share"
            )
        return self


class EventLimits(Schema):
    """[events]: gates of `harness events`. missed_percent: of the events that an alarm is due for."""

    missed_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    false_alarms_per_hour: Annotated[float, Field(gt=0)] | None = None
