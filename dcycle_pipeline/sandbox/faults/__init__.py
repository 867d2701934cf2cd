"""How the sandbox misbehaves: switches, faults on the wire, items as they should not be."""
