"""Pictures of named tensors: tables, treescope's renderings, and plots.

Each module is imported when its picture is asked for (`namedtensor.display`), because each needs
packages that the rest does without.
"""
