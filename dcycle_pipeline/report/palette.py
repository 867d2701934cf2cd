"""The colours of the page and of its charts, light and dark. Each pair is readable (WCAG AA) and differs in more than hue."""

LIGHT = {
    "paper": "#fbfaf6",
    "card": "#ffffff",
    "ink": "#1b2530",
    "muted": "#56616d",
    "rule": "#ddd8cc",
    "accent": "#0b5a63",
    "accent-soft": "#9fc3c4",
    "open": "#d5d2ca",
    "warn": "#8f4a00",
    "warn-soft": "#f6e9d6",
    "heat-0": "#f3dfc6",
    "heat-1": "#d5e4e2",
    "heat-2": "#8fbcbd",
    "heat-3": "#2f7f86",
    "heat-4": "#0b5a63",
    "heat-ink-light": "#1b2530",
    "heat-ink-dark": "#ffffff",
}
DARK = {
    "paper": "#11171c",
    "card": "#182027",
    "ink": "#e9e6df",
    "muted": "#a7b1bb",
    "rule": "#313c46",
    "accent": "#6cc7c9",
    "accent-soft": "#2f5d62",
    "open": "#454f59",
    "warn": "#f0b46c",
    "warn-soft": "#33271a",
    "heat-0": "#5a3d1d",
    "heat-1": "#1f3136",
    "heat-2": "#2b5a60",
    "heat-3": "#3f9095",
    "heat-4": "#7ad0d1",
    "heat-ink-light": "#f3f1ec",
    "heat-ink-dark": "#0c1418",
}


def variable(name: str) -> str:
    """A colour, by the CSS variable that follows the reader's scheme."""
    return f"var(--{name})"


# Light colours in place of the variables, for pictures outside the page.
FIXED = {variable(name): color for name, color in LIGHT.items()}
