"""Defects drawn into a scene of weld_scene.py, each with the box of the pixels that it visibly changed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from assets.weld_scene import Array, Scene, shade, smooth_noise, table_lookup

VISIBLE_CHANGE = 6 / 255
"""a pixel belongs to the defect's box when its value changed by more than this"""
NEEDED_CONTRAST = 24 / 255
"""a defect whose strongest change is below this would be a label on nothing: it is not drawn"""
LEAST_SIDE_PX = 4


@dataclass(frozen=True)
class DefectBox:
    """The defect's class and its box in pixels: x1, y1 inclusive, x2, y2 exclusive."""

    name: str
    x1: int
    y1: int
    x2: int
    y2: int

    def is_near(self, other: "DefectBox", margin: int) -> bool:
        """Whether the boxes overlap when both grow by half the margin."""
        apart_x = self.x1 - other.x2 >= margin or other.x1 - self.x2 >= margin
        apart_y = self.y1 - other.y2 >= margin or other.y1 - self.y2 >= margin
        return not (apart_x or apart_y)


@dataclass(frozen=True)
class Stroke:
    """What one defect does to a scene, full-frame fields: `relief` is added (px), `dark` dims the metal (0..1),
    `loss` is the metal it takes away from the beam (negative: adds)."""

    relief: Array
    dark: Array
    loss: Array


Painter = Callable[[np.random.Generator, Scene], Stroke]


def draw_defect(rng: np.random.Generator, scene: Scene, name: str, others: list[DefectBox]) -> DefectBox | None:
    """Draw one defect of class `name` and return its box; None, and the scene untouched, if it would be invisible,
    cut by the frame, or touching one of `others`."""
    stroke = PAINTERS[name](rng, scene)
    touched = (np.abs(stroke.relief) > 1e-3) | (stroke.dark > 1e-3) | (np.abs(stroke.loss) > 1e-4)
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    if len(rows) == 0:
        return None
    # Five pixels more than the stroke: the slope and the blur reach beyond it.
    height, width = scene.s.shape
    top, left = max(rows[0] - 5, 0), max(columns[0] - 5, 0)
    window = slice(top, min(rows[-1] + 6, height)), slice(left, min(columns[-1] + 6, width))
    before = shade(scene, window)
    kept = scene.relief, scene.albedo, scene.loss, scene.gloss
    scene.relief = scene.relief + stroke.relief
    scene.albedo = scene.albedo * (1 - stroke.dark if scene.kind == "photo" else np.ones_like(stroke.dark))[..., None]
    scene.gloss = scene.gloss * (1 - stroke.dark)
    scene.loss = scene.loss + stroke.loss
    change = np.abs(np.clip(shade(scene, window), 0, 1) - np.clip(before, 0, 1)).max(axis=2)
    box = _box_of(name, change > VISIBLE_CHANGE, left, top)
    if (
        box is None
        or change.max() < NEEDED_CONTRAST
        or _touches_frame(box, width, height)
        or any(box.is_near(other, margin=4) for other in others)
    ):
        scene.relief, scene.albedo, scene.loss, scene.gloss = kept
        return None
    return box


def _box_of(name: str, changed: np.ndarray, left: int, top: int) -> DefectBox | None:
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if len(rows) == 0:
        return None
    box = DefectBox(
        name, *(int(n) for n in (left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
    )
    return box if min(box.x2 - box.x1, box.y2 - box.y1) >= LEAST_SIDE_PX else None


def _touches_frame(box: DefectBox, width: int, height: int) -> bool:
    return box.x1 < 2 or box.y1 < 2 or box.x2 > width - 2 or box.y2 > height - 2


def _place(rng: np.random.Generator, scene: Scene, s_low: float, s_high: float) -> tuple[float, float, float, float]:
    """A random pixel whose |s| is in the range: its x, y, u, v."""
    distance = np.abs(scene.s[8:-8, 8:-8])
    choices = np.flatnonzero((distance >= s_low) & (distance <= s_high))
    if len(choices) == 0:
        choices = np.arange(distance.size)
    y, x = (int(n) + 8 for n in np.unravel_index(int(rng.choice(choices)), distance.shape))
    return float(x), float(y), float(scene.u[y, x]), float(scene.v[y, x])


def _distance(scene: Scene, x: float, y: float) -> Array:
    rows, columns = np.ogrid[0 : scene.s.shape[0], 0 : scene.s.shape[1]]
    return np.hypot(columns - x, rows - y).astype(np.float32)


def _taper(u: Array, start: float, length: float, ends: float) -> Array:
    """1 between start and start + length, falling to 0 over `ends` pixels at both sides, 0 outside."""
    ramp = np.clip(np.minimum(u - start, start + length - u) / ends, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def paint_pore(rng: np.random.Generator, scene: Scene) -> Stroke:
    """A gas hole in the bead: a round pit with a sharp rim and a dark bottom."""
    x, y, _, _ = _place(rng, scene, 0.0, 0.72)
    radius = rng.uniform(2.8, 6.2) * scene.unit
    rows, columns = np.ogrid[0 : scene.s.shape[0], 0 : scene.s.shape[1]]
    turn, squash = rng.uniform(0, np.pi), rng.uniform(0.78, 1)
    along = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
    across = -(columns - x) * np.sin(turn) + (rows - y) * np.cos(turn)
    r = np.hypot(along, across / squash) / radius
    pit = np.sqrt(np.clip(1 - r**2, 0, 1)).astype(np.float32)
    rim = np.clip(1 - np.abs(r - 1.05) / 0.3, 0, 1).astype(np.float32)
    hole = (np.clip((0.95 - r) * radius * 0.7, 0, 1) * (1 - 0.35 * np.clip(r, 0, 1) ** 2)).astype(np.float32)
    return Stroke(
        relief=-1.1 * radius * pit + 0.16 * radius * rim,
        dark=rng.uniform(0.66, 0.88) * hole,
        loss=rng.uniform(0.13, 0.26) * pit**0.8,
    )


def paint_spatter(rng: np.random.Generator, scene: Scene) -> Stroke:
    """A drop of metal frozen on the plate beside the bead."""
    x, y, _, _ = _place(rng, scene, 1.25, 2.6)
    radius = rng.uniform(2.6, 5.2) * scene.unit
    r = _distance(scene, x, y) / radius
    dome = np.sqrt(np.clip(1 - r**2, 0, 1)).astype(np.float32)
    burn = np.clip(1 - np.abs(r - 1.15) / 0.35, 0, 1).astype(np.float32)
    return Stroke(relief=0.75 * radius * dome, dark=0.55 * burn, loss=-rng.uniform(0.13, 0.22) * dome)


def paint_crack(rng: np.random.Generator, scene: Scene) -> Stroke:
    """A jagged hairline in the bead, along it or across it, thinning out at both ends."""
    _, _, u, v = _place(rng, scene, 0.0, 0.45)
    is_transverse = rng.random() < 0.45
    length = (rng.uniform(24, 46) if is_transverse else rng.uniform(40, 90)) * scene.unit
    step = 3.2 * scene.unit
    heading = rng.normal(np.pi / 2, 0.25) if is_transverse else rng.normal(0, 0.12)
    turns = rng.normal(0, 0.42, max(int(length / step), 4))
    angles = heading + turns - 0.3 * np.roll(turns, 1)
    points_u = u + np.concatenate([[0], np.cumsum(np.cos(angles))]) * step
    points_v = v + np.concatenate([[0], np.cumsum(np.sin(angles))]) * step
    points_u, points_v = points_u - (points_u.mean() - u), points_v - (points_v.mean() - v)
    width = np.sin(np.linspace(0.12, np.pi - 0.12, len(points_u))) * rng.uniform(0.9, 1.5) * scene.unit
    line = _polyline(scene, points_u, points_v, width)
    return Stroke(
        relief=-1.1 * scene.unit * line, dark=rng.uniform(0.75, 0.92) * line, loss=rng.uniform(0.15, 0.24) * line
    )


def _polyline(scene: Scene, points_u: np.ndarray, points_v: np.ndarray, width: np.ndarray) -> Array:
    """Coverage 0..1 of a line of varying half width through the points."""
    cover = np.zeros_like(scene.u)
    reach = float(width.max()) + 2
    near = (
        (scene.u > points_u.min() - reach) & (scene.u < points_u.max() + reach)
        & (scene.v > points_v.min() - reach) & (scene.v < points_v.max() + reach)
    )  # fmt: skip
    u, v = scene.u[near], scene.v[near]
    best = np.zeros_like(u)
    for i in range(len(points_u) - 1):
        du, dv = points_u[i + 1] - points_u[i], points_v[i + 1] - points_v[i]
        part = np.clip(((u - points_u[i]) * du + (v - points_v[i]) * dv) / (du * du + dv * dv), 0, 1)
        distance = np.hypot(u - points_u[i] - part * du, v - points_v[i] - part * dv)
        best = np.maximum(best, np.clip(width[i] + (width[i + 1] - width[i]) * part + 0.5 - distance, 0, 1))
    cover[near] = best
    return cover


def paint_undercut(rng: np.random.Generator, scene: Scene) -> Stroke:
    """A smooth groove melted into the plate along one toe of the bead."""
    _, _, u, v = _place(rng, scene, 0.8, 1.2)
    side = 1.0 if v > 0 else -1.0
    length = rng.uniform(38, 95) * scene.unit
    ends = _taper(scene.u, u - length / 2, length, 12 * scene.unit)
    uneven = table_lookup(rng.uniform(0.7, 1.3, 256).astype(np.float32), scene.u / (7 * scene.unit))
    groove_px = rng.uniform(3.0, 4.6) * scene.unit * uneven * (0.45 + 0.55 * ends)
    from_toe = (side * scene.s - 1) * scene.half_width - (0.75 if scene.kind == "photo" else 0.3) * groove_px
    cross = np.clip(1 - (from_toe / groove_px) ** 2, 0, 1)
    groove = (cross * ends).astype(np.float32)
    return Stroke(
        relief=-rng.uniform(2.2, 3.4) * scene.unit * groove,
        dark=rng.uniform(0.38, 0.6) * groove,
        loss=rng.uniform(0.10, 0.16) * groove,
    )


def paint_lack_of_fusion(rng: np.random.Generator, scene: Scene) -> Stroke:
    """An unfused face: a straight, sharp-edged dark slot along the bead near one edge, with ragged patches."""
    _, _, u, v = _place(rng, scene, 0.55, 0.82)
    length = rng.uniform(45, 100) * scene.unit
    ends = _taper(scene.u, u - length / 2, length, 5 * scene.unit)
    frame = scene.s.shape[0], scene.s.shape[1]
    # One face stays straight (the edge that never melted); the other is ragged, and the gap closes in places.
    ragged = smooth_noise(rng, frame, (5 * scene.unit, 5 * scene.unit))
    gap_px = np.clip(rng.uniform(2.6, 4.2) * (0.65 + 0.5 * ragged), 0.7, None) * scene.unit * (0.4 + 0.6 * ends)
    depth = (scene.v - v) * (1.0 if v > 0 else -1.0)
    slot = np.clip(depth + 0.7, 0, 1) * np.clip(gap_px - depth, 0, 1) * np.clip(ends * 3, 0, 1)
    shadow = 1 - 0.45 * np.clip(depth / (gap_px + 1e-3), 0, 1)
    slot = slot.astype(np.float32)
    return Stroke(
        relief=-1.6 * scene.unit * slot,
        dark=rng.uniform(0.72, 0.9) * slot * shadow,
        loss=rng.uniform(0.16, 0.24) * slot,
    )


PAINTERS: dict[str, Painter] = {
    "pore": paint_pore,
    "crack": paint_crack,
    "undercut": paint_undercut,
    "spatter": paint_spatter,
    "lack_of_fusion": paint_lack_of_fusion,
}
CLASS_NAMES: tuple[str, ...] = tuple(PAINTERS)
