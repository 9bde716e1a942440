"""Sound: composing it, encoding it, finding it, cutting it up."""
