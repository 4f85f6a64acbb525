"""The browser that shows the page to benchmarks and tests, and what they draw in it."""

import shutil

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
THREE = [
    (0.3, 0.2), (0.5, 0.13), (0.68, 0.22), (0.66, 0.38), (0.45, 0.48), (0.66, 0.56), (0.72, 0.72), (0.55, 0.86), (0.28, 0.8),
]  # fmt: skip
