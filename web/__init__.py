"""How the API speaks, whatever it speaks about: problems, pages, bodies, limits, request ids."""
