"""One synthetic weld: its geometry and how light (photograph) or X-rays (radiograph) turn it into an image.

Not here: defects (weld_defects.py) and files (weld_generator.py).
Names: u runs along the weld, v across it, both in pixels; s = v / half width, so the bead is |s| < 1.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Array = NDArray[np.float32]
SceneKind = Literal["photo", "radiograph"]

# How the colour of steel changes with the distance from the bead: bare grey at the toe, blue, brown, straw, untouched.
HEAT_TINT_DISTANCE = np.array([0.0, 0.18, 0.38, 0.62, 1.0])
HEAT_TINT_RGB = np.array([[0.82, 0.83, 0.86], [0.70, 0.76, 0.92], [0.84, 0.72, 0.64], [1.02, 0.93, 0.76], [1, 1, 1]])


@dataclass
class Scene:
    """Fields of one weld, each (height, width). `relief` is in pixels of height, `loss` is missing metal (radiographs),
    `straight_v` is v measured from the plate and not from the swaying bead."""

    kind: SceneKind
    u: Array
    v: Array
    s: Array
    straight_v: Array
    half_width: Array
    relief: Array
    albedo: Array
    gloss: Array
    loss: Array
    illumination: Array
    light: tuple[float, float, float]
    blur_sigma: float
    unit: float
    """pixels per 1/240 of the short side, so that a larger image shows the same weld with more detail"""


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float]) -> Array:
    """Noise in -1..1 that changes over `cells` pixels (down, across); bicubic interpolation of a coarse random grid."""
    grid = rng.uniform(-1, 1, (int(shape[0] / cells[0]) + 3, int(shape[1] / cells[1]) + 3)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def table_lookup(table: Array, position: Array) -> Array:
    """Linear interpolation of a periodic 1-D table at real positions."""
    low = np.floor(position).astype(np.int64)
    part = (position - low).astype(np.float32)
    return table[low % len(table)] * (1 - part) + table[(low + 1) % len(table)] * part


def brushed_noise(rng: np.random.Generator, along: Array, across: Array, length_px: float) -> Array:
    """Streaks of finite length: fine noise across the brushing, slow noise along it. Mean 0, deviation about 1."""
    table = rng.normal(0, 1, (64, 1024)).astype(np.float32)
    column = along / length_px
    low = np.floor(column).astype(np.int64)
    part = column - low
    row = np.round(across * 1.3).astype(np.int64)
    return table[low % 64, row % 1024] * (1 - part) + table[(low + 1) % 64, row % 1024] * part


def make_scene(rng: np.random.Generator, size: tuple[int, int], kind: SceneKind) -> Scene:
    """Draw a sound weld (no defect) of `size` = (width, height) pixels."""
    width, height = size
    unit = min(size) / 240
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = np.deg2rad(rng.uniform(-28, 28) + (90 if rng.random() < 0.2 else 0))
    centre_x, centre_y = width / 2, height * rng.uniform(0.42, 0.58)
    u = (x - centre_x) * np.cos(angle) + (y - centre_y) * np.sin(angle)
    v = -(x - centre_x) * np.sin(angle) + (y - centre_y) * np.cos(angle)

    half = rng.uniform(19, 33) * unit
    wobble = rng.normal(0, 1, 4096).astype(np.float32)
    sway = rng.uniform(0, 7) * unit * np.sin(2 * np.pi * u / (rng.uniform(260, 520) * unit) + rng.uniform(0, 6.28))
    straight_v = v.astype(np.float32)
    v = (v - sway - 1.0 * unit * table_lookup(wobble, u / (17 * unit) + 700)).astype(np.float32)
    half_width = (half * (1 + 0.05 * table_lookup(wobble, u / (23 * unit)))).astype(np.float32)
    # The two toes wander independently, as in a hand-made bead.
    toe = np.where(v > 0, table_lookup(wobble, u / (9 * unit) + 90), table_lookup(wobble, u / (9 * unit) + 1300))
    s = (v / (half_width * (1 + 0.035 * toe))).astype(np.float32)

    scene = Scene(
        kind=kind, u=u.astype(np.float32), v=v, s=s, straight_v=straight_v, half_width=half_width,
        relief=np.zeros_like(u, np.float32), albedo=np.ones((height, width, 3), np.float32),
        gloss=np.zeros_like(u, np.float32), loss=np.zeros_like(u, np.float32),
        illumination=_illumination(rng, x / width, y / height, kind),
        light=_light_direction(rng), blur_sigma=float(rng.uniform(0.45, 0.85) * (1.25 if kind == "radiograph" else 1)),
        unit=unit,
    )  # fmt: skip
    bead, ripple = _bead(rng, scene)
    if kind == "photo":
        _paint_steel(rng, scene, bead, ripple)
    else:
        _expose_film(rng, scene, bead, ripple)
    return scene


def shade(scene: Scene, window: tuple[slice, slice]) -> Array:
    """The blurred image of a window of the scene, before sensor noise: (h, w, 3) in 0..1, not clipped."""
    light = scene.illumination[window]
    if scene.kind == "radiograph":
        # Film: the more metal, the lighter. Attenuation is exponential; over this small range a line is enough.
        grey = (scene.albedo[window][..., 0] - scene.loss[window]) * light
        return _blurred(grey, scene.blur_sigma)[..., None].repeat(3, axis=2)
    slope_y, slope_x = np.gradient(scene.relief[window])
    norm = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    light_x, light_y, light_z = scene.light
    diffuse = np.clip((-slope_x * light_x - slope_y * light_y + light_z) * norm, 0, None)
    half_x, half_y, half_z = np.array([light_x, light_y, light_z + 1]) / np.linalg.norm([light_x, light_y, light_z + 1])
    facing = np.clip((-slope_x * half_x - slope_y * half_y + half_z) * norm, 0, None)
    shine = scene.gloss[window] * facing**28
    colour = scene.albedo[window] * (0.30 + 0.82 * diffuse)[..., None] + shine[..., None]
    colour *= light[..., None]
    return np.stack([_blurred(colour[..., channel], scene.blur_sigma) for channel in range(3)], axis=2)


def develop(rng: np.random.Generator, scene: Scene, shaded: Array) -> NDArray[np.uint8]:
    """Add the noise of the sensor or the grain of the film and quantise to 8 bits."""
    height, width = shaded.shape[:2]
    if scene.kind == "radiograph":
        grain = rng.normal(0, 1, (height, width, 1)).astype(np.float32)
        clumps = smooth_noise(rng, (height, width), (2.5, 2.5))[..., None]
        image = shaded + rng.uniform(0.012, 0.026) * grain + 0.014 * clumps
    else:
        noise = rng.normal(0, 1, shaded.shape).astype(np.float32)
        image = shaded + rng.uniform(0.006, 0.016) * noise * np.sqrt(np.clip(shaded, 0.05, 1)) * 1.6
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _bead(rng: np.random.Generator, scene: Scene) -> tuple[Array, Array]:
    """The bead's cross profile (0..1) and its ripples (about -1..1): crescents left by the solidifying pool."""
    s2 = np.clip(scene.s**2, 0, 1)
    profile = (1 - s2) ** rng.uniform(0.55, 0.8)
    pitch = rng.uniform(6.5, 11) * scene.unit
    jitter = table_lookup(rng.normal(0, 1, 512).astype(np.float32), scene.u / (pitch * 2.2))
    direction = rng.choice([-1.0, 1.0])
    bulge = rng.uniform(0.45, 0.85) * scene.half_width * s2
    phase = (direction * scene.u + bulge) / pitch + 0.22 * jitter
    step = phase - np.floor(phase)
    # A slow rise and a quick fall: each ripple overlaps the one before it.
    ripple = np.where(step < 0.78, step / 0.78, (1 - step) / 0.22) * 2 - 1
    return profile.astype(np.float32), (ripple * np.clip(2.2 * profile, 0, 1)).astype(np.float32)


def _paint_steel(rng: np.random.Generator, scene: Scene, bead: Array, ripple: Array) -> None:
    """Photograph: brushed or scaled plate, tint of the heated zone, shiny rippled bead."""
    shape, unit = scene.s.shape, scene.unit
    inside = np.clip((1 - np.abs(scene.s)) * scene.half_width / 1.2, 0, 1)
    across_weld = rng.random() < 0.5
    along, across = (scene.straight_v, scene.u) if across_weld else (scene.u, scene.straight_v)
    tilt = rng.uniform(-0.35, 0.35)
    streaks = brushed_noise(rng, along + tilt * across, across - tilt * along, rng.uniform(25, 80) * unit)
    is_mill_scale = rng.random() < 0.3
    base = rng.uniform(0.30, 0.40) if is_mill_scale else rng.uniform(0.48, 0.66)
    cloud = smooth_noise(rng, shape, (55 * unit, 55 * unit)) + 0.5 * smooth_noise(rng, shape, (16 * unit, 16 * unit))
    plate = base * (1 + (0.03 if is_mill_scale else 0.075) * streaks + 0.07 * cloud)
    cast = 1 + rng.normal(0, 0.018, 3)
    plate_rgb = plate[..., None] * cast

    reach = rng.uniform(0.9, 1.7) * scene.half_width
    distance = np.clip((np.abs(scene.s) - 1) * scene.half_width / reach + 0.05 * cloud, 0, 1)
    tint = np.stack([np.interp(distance, HEAT_TINT_DISTANCE, HEAT_TINT_RGB[:, c]) for c in range(3)], axis=2)
    strength = rng.uniform(0.25, 0.95)
    plate_rgb = plate_rgb * (1 + strength * (tint - 1))
    # Soot beside the toe, patchy.
    soot = np.clip(1 - (np.abs(scene.s) - 1) / 0.35, 0, 1) * np.clip(0.4 + smooth_noise(rng, shape, (22, 30)), 0, 1)
    plate_rgb *= (1 - rng.uniform(0.1, 0.4) * soot)[..., None]

    oxide = np.clip(smooth_noise(rng, shape, (14 * unit, 20 * unit)), 0, 1)
    metal = rng.uniform(0.50, 0.66) * (1 - 0.30 * oxide) + 0.05 * ripple
    bead_rgb = metal[..., None] * np.array([1.0, 0.985, 0.96]) * cast
    scene.albedo = (plate_rgb * (1 - inside)[..., None] + bead_rgb * inside[..., None]).astype(np.float32)
    # The toe is a slight shadow line: the bead meets the plate at an angle.
    toe_line = np.exp(-(((np.abs(scene.s) - 1) * scene.half_width / (1.3 * unit)) ** 2))
    scene.albedo *= (1 - 0.28 * toe_line)[..., None]

    crown = rng.uniform(0.16, 0.30) * float(scene.half_width.mean())
    scene.relief = (crown * bead + rng.uniform(0.55, 1.0) * unit * ripple * inside).astype(np.float32)
    scene.relief += (0.05 * streaks * (1 - inside) + 0.35 * smooth_noise(rng, shape, (5, 5)) * inside).astype(
        np.float32
    )
    plate_gloss = 0.03 if is_mill_scale else 0.10
    bead_gloss = rng.uniform(0.22, 0.42) * (1 - 0.7 * oxide)
    scene.gloss = (plate_gloss * (1 - inside) + bead_gloss * inside).astype(np.float32)
    _scratch_plate(rng, scene, inside)


def _scratch_plate(rng: np.random.Generator, scene: Scene, inside: Array) -> None:
    """Long bright scratches on the plate: no defect, so that a detector must tell them from cracks."""
    for _ in range(int(rng.integers(0, 4))):
        direction = rng.uniform(0, np.pi)
        line = scene.u * np.sin(direction) - scene.v * np.cos(direction) - rng.uniform(-90, 90) * scene.unit
        part = scene.u * np.cos(direction) + scene.v * np.sin(direction) - rng.uniform(-90, 90) * scene.unit
        mark = np.exp(-((line / (0.6 * scene.unit)) ** 2)) * (np.abs(part) < rng.uniform(15, 60) * scene.unit)
        scene.albedo *= (1 + 0.22 * mark * (1 - inside))[..., None]


def _expose_film(rng: np.random.Generator, scene: Scene, bead: Array, ripple: Array) -> None:
    """Radiograph: plate dark, bead light because it is thicker, wire penetrameter, lead characters."""
    shape, unit = scene.s.shape, scene.unit
    base = rng.uniform(0.28, 0.42)
    cloud = smooth_noise(rng, shape, (60 * unit, 60 * unit))
    crown = rng.uniform(0.20, 0.30) * bead**0.8 * (1 + 0.10 * smooth_noise(rng, shape, (20 * unit, 26 * unit)))
    root = rng.uniform(0.0, 0.07) * np.exp(-((scene.v / (rng.uniform(3.5, 6) * unit)) ** 2))
    film = base * (1 + 0.05 * cloud) + crown + 0.016 * ripple + root
    if rng.random() < 0.5:
        film += _penetrameter(rng, scene)
    if rng.random() < 0.6:
        film = np.maximum(film, _lead_characters(rng, shape, unit))
    scene.albedo = film[..., None].repeat(3, axis=2).astype(np.float32)


def _penetrameter(rng: np.random.Generator, scene: Scene) -> Array:
    """Seven wires across the weld, each thinner than the one before: the image quality indicator of the standard."""
    start, spacing = rng.uniform(-100, 10) * scene.unit, 11 * scene.unit
    wires = np.zeros_like(scene.u)
    for index in range(7):
        radius = (1.9 - 0.23 * index) * scene.unit
        across = np.abs(scene.u - start - index * spacing) / radius
        wires += 0.055 * (1 - 0.1 * index) * np.sqrt(np.clip(1 - across**2, 0, 1))
    return wires * (np.abs(scene.v) < 62 * scene.unit)


def _lead_characters(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Array:
    """Lead letters that name the shot, in a corner away from the weld."""
    canvas = Image.new("L", (shape[1], shape[0]))
    text = f"{rng.choice(list('ABKCW'))}{rng.integers(1, 60)}-{rng.integers(1, 9)}"
    corner = (8 * unit, 6 * unit) if rng.random() < 0.5 else (shape[1] - 74 * unit, shape[0] - 26 * unit)
    ImageDraw.Draw(canvas).text(corner, text, fill=255, font=ImageFont.load_default(size=18 * unit))
    return np.asarray(canvas, np.float32) / 255 * 0.93


def _illumination(rng: np.random.Generator, x: Array, y: Array, kind: SceneKind) -> Array:
    direction = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0.05, 0.18) if kind == "radiograph" else rng.uniform(0.1, 0.38)
    field = 1 + slope * ((x - 0.5) * np.cos(direction) + (y - 0.5) * np.sin(direction))
    vignette = rng.uniform(0.1, 0.45) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    exposure = rng.uniform(0.9, 1.1) if kind == "radiograph" else rng.uniform(0.82, 1.2)
    return (exposure * field * (1 - vignette)).astype(np.float32)


def _light_direction(rng: np.random.Generator) -> tuple[float, float, float]:
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(38, 62))
    flat = float(np.cos(elevation))
    return flat * float(np.cos(azimuth)), flat * float(np.sin(azimuth)), float(np.sin(elevation))


def _blurred(plane: Array, sigma: float) -> Array:
    """Separable Gaussian blur with a kernel of radius 2; edges repeat."""
    taps = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    height, width = plane.shape
    padded = np.pad(plane, ((2, 2), (0, 0)), mode="edge")
    plane = sum(tap * padded[i : i + height] for i, tap in enumerate(taps))
    padded = np.pad(plane, ((0, 0), (2, 2)), mode="edge")
    return sum(tap * padded[:, i : i + width] for i, tap in enumerate(taps))
