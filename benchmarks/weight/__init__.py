"""What the base install weighs: bytes, packages, and the time of `import lichen`."""
