"""One module per billing provider: its proof, and its bytes turned into our own letter."""
