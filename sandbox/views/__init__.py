"""The platform's endpoints, by chapter. Each view reads its parameters, does one thing and answers."""
