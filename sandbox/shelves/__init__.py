"""What stands on the shelves: the demo label, or a folder of real music."""
