"""A listener's right to stream: folded from what billing says, told to the platform in windows it accepts."""
