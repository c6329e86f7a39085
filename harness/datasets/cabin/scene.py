"""What is in a frame: the clip's script at one moment. No pixels here."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from harness.datasets.cabin.parts import FRAMES_PER_SECOND, LOOKING_AWAY_DEG, Arm, Person, Point, Scene
from harness.datasets.cabin.script import Body, Clip, clip_at
from harness.datasets.cabin.subjects import SPLITS

_FRAME_STREAM = 3


def scene_at(seed: int, split: str, clip: int, frame: int, clip_frames: int) -> Scene:
    """The scene of one frame of a clip."""
    script = clip_at(seed, split, clip, clip_frames / FRAMES_PER_SECOND)
    rng = np.random.default_rng([seed, _FRAME_STREAM, SPLITS[split].start, clip, frame])
    seconds = frame / FRAMES_PER_SECOND
    done = script.episode.at(seconds)
    covered = script.hand_over_face.at(seconds) if script.hand_over_face else 0.0
    driver = _pose_driver(script, seconds, done)
    passengers = tuple(_pose(one, seconds) for one in script.bodies[:-1])
    blur = int(rng.choice([1, 1, 3, 5, 9], p=_blur_odds(script.shake)))
    return Scene(
        people=(*passengers, driver),
        arms=_arms(script, driver, done, covered, seconds),
        activity=_activity(script, driver, done),
        occlusion="mask" if driver.mask else "hand" if covered > 0.5 else "none",
        vehicle=script.vehicle, light=script.light,
        shift=(script.shift_x.at(seconds), script.shift_y.at(seconds)),
        blur_px=blur, blur_upright=bool(rng.random() < 0.6),
        noise_offset=(int(rng.integers(256)), int(rng.integers(256))),
        roi_jitter=tuple(rng.uniform(-1, 1, 4).tolist()),
        outside_px=script.scenery_px_per_s * seconds,
    )  # fmt: skip


def _blur_odds(shake: float) -> list[float]:
    moved = 0.5 * shake
    return [1 - moved, 0.0, moved * 0.5, moved * 0.3, moved * 0.2]


def _pose(body: Body, seconds: float) -> Person:
    return Person(
        subject=body.subject, seat=body.seat, half_width=body.half_width, x=body.x.at(seconds), y=body.y.at(seconds),
        yaw=body.yaw.at(seconds), pitch=body.pitch.at(seconds), roll=body.roll.at(seconds),
        glasses=body.glasses, lens=body.lens, mask=body.mask,
    )  # fmt: skip


def _pose_driver(script: Clip, seconds: float, done: float) -> Person:
    body = script.bodies[-1]
    aim_yaw, aim_pitch = _aim(script)
    open_share = 1.0 - max((one.at(seconds) for one in script.shut), default=0.0)
    head = 1.0 - script.eye_share
    # Shut eyes rest in the middle: what cannot be seen is not asked for.
    eye_yaw = open_share * (script.eye_yaw.at(seconds) + done * aim_yaw * script.eye_share)
    eye_pitch = open_share * (script.eye_pitch.at(seconds) + done * aim_pitch * script.eye_share)
    lowered = 1.0 - 0.4 * min(max(-eye_pitch / 20.0, 0.0), 1.0)
    lean = done * script.side if script.activity == "reaching" else 0.0
    return Person(
        subject=body.subject, seat=body.seat, half_width=body.half_width,
        x=body.x.at(seconds) + 40.0 * abs(lean), y=body.y.at(seconds) + 22.0 * abs(lean),
        yaw=body.yaw.at(seconds) + done * aim_yaw * head, pitch=body.pitch.at(seconds) + done * aim_pitch * head,
        roll=body.roll.at(seconds) + 8.0 * abs(lean),
        eye_yaw=eye_yaw, eye_pitch=eye_pitch, opening=script.opening * open_share * lowered,
        mouth=max(script.mouth.at(seconds), 0.3 * done if script.activity == "drinking" else 0.0, 0.0),
        glasses=body.glasses, lens=body.lens, mask=body.mask,
    )  # fmt: skip


def _aim(script: Clip) -> Point:
    """Where the activity draws the driver's gaze, in degrees from straight ahead."""
    if script.activity == "looking_away":
        return script.away
    if script.activity == "reaching":
        return 14.0 + 22.0 * script.eye_share, -8.0
    if script.activity == "phone" and script.target[1] > 1.5:
        return 6.0 * script.target[0], -26.0
    return (0.0, 5.0) if script.activity == "drinking" else (0.0, 0.0)


def gaze_deg(person: Person) -> Point:
    """Yaw and pitch of the line of sight: the eyes turned within the turned head."""
    yaw, pitch = math.radians(person.eye_yaw), math.radians(person.eye_pitch)
    sight = np.array([math.cos(pitch) * math.sin(yaw), -math.sin(pitch), math.cos(pitch) * math.cos(yaw)])
    x, y, z = rotation(person) @ sight
    return math.degrees(math.atan2(x, z)), math.degrees(math.asin(min(max(-y, -1.0), 1.0)))


def rotation(person: Person) -> npt.NDArray[np.float64]:
    """The head's turn: roll first, then pitch, then yaw; x right, y down, z towards the camera."""
    cy, sy = math.cos(math.radians(person.yaw)), math.sin(math.radians(person.yaw))
    cp, sp = math.cos(math.radians(person.pitch)), math.sin(math.radians(person.pitch))
    cr, sr = math.cos(math.radians(person.roll)), math.sin(math.radians(person.roll))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(turn @ nod @ tilt, np.float64)


def _activity(script: Clip, driver: Person, done: float) -> str:
    if done > 0.5 and script.activity in ("phone", "reaching", "drinking"):
        return script.activity
    return "looking_away" if math.hypot(*gaze_deg(driver)) > LOOKING_AWAY_DEG else "attentive"


def _arms(script: Clip, driver: Person, done: float, covered: float, seconds: float) -> tuple[Arm, ...]:
    size = driver.half_width
    steer = 12.0 * math.sin(0.9 * seconds + script.shake * 6)
    arms = []
    for side in (-1, 1):
        shoulder = (driver.x + side * 1.75 * size, driver.y + 2.35 * size)
        rest = (driver.x + 30 + side * 118, script.vehicle.wheel_y - 50 + side * steer)
        hand, angle, holds = rest, 20.0 * side, ""
        if side == _acting(script) and script.activity in ("phone", "reaching", "drinking"):
            hand, angle = _mix(rest, _reach(script, driver, side), done), 20.0 * side + done * _wrist(script, side)
            holds = {"phone": "phone", "drinking": "cup", "reaching": ""}[script.activity] if done > 0.25 else ""
        elif side == -_acting(script) and covered > 0:
            place = (driver.x + script.hand_place[0] * size, driver.y + script.hand_place[1] * size)
            hand, angle = _mix(rest, place, covered), covered * 15.0 * side
        arms.append(Arm(shoulder=shoulder, elbow=_elbow(shoulder, hand, side), hand=hand, angle_deg=angle, holds=holds))
    return tuple(arms)


def _acting(script: Clip) -> int:
    return 1 if script.activity == "reaching" else script.side


def _reach(script: Clip, driver: Person, side: int) -> Point:
    if script.activity == "reaching":
        return script.target
    x, y = script.target
    at_head = y < 1.5 and script.activity == "phone"
    return driver.x + (side * x if at_head else x) * driver.half_width, driver.y + y * driver.half_width


def _wrist(script: Clip, side: int) -> float:
    return -15.0 * side if script.activity != "reaching" else 60.0


def _mix(first: Point, second: Point, share: float) -> Point:
    return first[0] + (second[0] - first[0]) * share, first[1] + (second[1] - first[1]) * share


def _elbow(shoulder: Point, hand: Point, side: int) -> Point:
    middle = _mix(shoulder, hand, 0.5)
    return middle[0] + side * 42.0, max(middle[1], shoulder[1]) + 70.0
