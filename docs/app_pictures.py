"""Take the pictures of the app from what its tests have drawn: `SHOTS=1 pytest tests/app`, and then this file."""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
SHOTS = HERE.parent / "build" / "app"
LARGEST = 150_000
"""Bytes of a picture."""

if __name__ == "__main__":
    for name in ("reconstruct", "between", "alter", "complete", "sample"):
        picture = Image.open(SHOTS / f"{name}.png").convert("RGB")
        picture.thumbnail((1100, 1100), Image.Resampling.LANCZOS)
        path = HERE / "images" / f"app-{name}.jpg"
        picture.save(path, quality=82, optimize=True, progressive=True)
        size = path.stat().st_size
        if size > LARGEST:
            raise SystemExit(f"{path.name}: {size} bytes are more than {LARGEST}")
        print(f"{path.name}: {size} bytes")
